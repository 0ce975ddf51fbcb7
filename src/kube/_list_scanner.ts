const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];
/** Depth inside the list object, inside its `items`, and inside one of them. */
const [IN_LIST, IN_ITEMS, IN_ITEM] = [1, 2, 3];

/**
 * Takes a list object apart while it arrives, so that no more than one of its items is whole at a time: parsed at once,
 * a page of 500 pods is 20 MB, which V8 moves to the old space before anybody looks at it.
 */
export class ListScanner {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inItems = false;
  #rest = new Pieces();
  #item = new Pieces();

  /** @param onItem is given each object in `items`, and each list. @throws SyntaxError for text that is no JSON */
  constructor(private readonly onItem: (item: unknown) => void) {}

  /** Takes the next bytes of the text. They must not change afterwards. */
  push(chunk: Uint8Array): void {
    let kept = 0; // up to here the chunk is in one of the pieces, or is of no use
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#inString) this.#hearInString(byte);
      else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        this.#depth++;
        if (this.#inItems && this.#depth === IN_ITEM) kept = at;
        else if (byte === OPEN_BRACKET && this.#depth === IN_ITEMS) kept = this.#openItems(chunk, { kept, at });
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        this.#depth--;
        if (this.#inItems && this.#depth <= IN_ITEMS) kept = this.#close(chunk, { kept, at });
      }
    }
    if (!this.#inItems) this.#rest.add(chunk.subarray(kept));
    else if (this.#depth >= IN_ITEM) this.#item.add(chunk.subarray(kept));
  }

  /** @returns the list, its `items` empty if they were a list. @throws SyntaxError when the text is not whole */
  end(): unknown {
    return this.#rest.take();
  }

  #hearInString(byte: number | undefined): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  #openItems(chunk: Uint8Array, { kept, at }: Span): number {
    this.#rest.add(chunk.subarray(kept, at + 1));
    this.#inItems = /"items"\s*:\s*\[$/.test(this.#rest.text());
    return at + 1;
  }

  #close(chunk: Uint8Array, { kept, at }: Span): number {
    if (this.#depth === IN_LIST) this.#inItems = false;
    if (this.#depth !== IN_ITEMS) return at;
    this.#item.add(chunk.subarray(kept, at + 1));
    this.onItem(this.#item.take());
    return at + 1;
  }
}

interface Span {
  readonly kept: number;
  readonly at: number;
}

/** A text that came in several chunks. */
class Pieces {
  readonly #decoder = new TextDecoder();
  #text = "";

  add(bytes: Uint8Array): void {
    this.#text += this.#decoder.decode(bytes, { stream: true });
  }

  text(): string {
    return this.#text;
  }

  /** @returns what the text says, and begins anew. @throws SyntaxError */
  take(): unknown {
    const text = this.#text + this.#decoder.decode();
    this.#text = "";
    return JSON.parse(text);
  }
}
