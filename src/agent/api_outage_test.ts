import { assertEquals } from "@std/assert";
import { ApiOutage } from "./api_outage.ts";

Deno.test("ApiOutage tells of a silence once, when it has ended, and of none that is short or orderly", () => {
  const told: string[] = [];
  const watched: { lastContact: number | undefined; interruption: string | undefined } = {
    ...{ lastContact: undefined, interruption: "refused" },
  };
  let now = 0;
  const outage = new ApiOutage({
    watched,
    clock: { monotonic: () => now },
    tell: (message) => void told.push(message),
  });
  const look = (at: number, contact: number | undefined, interruption?: string): void => {
    now = at;
    Object.assign(watched, { lastContact: contact, interruption });
    outage.look();
  };
  look(20_000, undefined, "refused"); // never heard since the start: no silence that began
  look(90_000, 30_000); // quiet, and nothing wrong
  look(92_000, 91_000, "cut");
  look(93_000, 92_500);
  assertEquals(told, []);
  look(99_000, 92_500, "connection refused");
  look(120_000, 92_500, "no route");
  look(123_000, 122_500, "no route");
  look(125_000, 124_000);
  assertEquals(told, ["The API server did not answer for 30 s: connection refused"]);
});
