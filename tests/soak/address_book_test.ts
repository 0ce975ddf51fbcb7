import { assertEquals } from "@std/assert";
import { AddressBook } from "./address_book.ts";

Deno.test("AddressBook sees an address that two live containers have", () => {
  const book = new AddressBook();
  assertEquals(book.born("one", { addresses: ["203.0.113.7"], at: 0 }), []);
  assertEquals(book.born("one", { addresses: ["203.0.113.7"], at: 1 }), []);
  assertEquals(book.born("two", { addresses: ["203.0.113.7"], at: 2 }), ["two got 203.0.113.7, which one has"]);
});

Deno.test("AddressBook sees an address that cannot have rested, from the first time its deletion was asked for", () => {
  const book = new AddressBook();
  book.born("one", { addresses: ["203.0.113.7", "203.0.113.8"], at: 0 });
  book.dying("one", 1_000);
  book.dying("one", 9_000);
  assertEquals(book.born("two", { addresses: ["203.0.113.7"], at: 30_999 }), [
    "two got 203.0.113.7, which was freed at most 29999 ms before",
  ]);
  assertEquals(book.born("three", { addresses: ["203.0.113.8"], at: 31_000 }), []);
});
