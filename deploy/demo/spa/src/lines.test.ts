import assert from "node:assert/strict";
import { test } from "node:test";
import { lines } from "./lines.ts";

function streamOf(...chunks: Uint8Array<ArrayBuffer>[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

test("lines are put together across chunks, also in the middle of a character", async () => {
  const bytes = new TextEncoder().encode("één\ntwee\nunfinished");
  const found = await Array.fromAsync(lines(streamOf(bytes.slice(0, 1), bytes.slice(1, 6), bytes.slice(6))));
  assert.deepEqual(found, ["één", "twee"]);
});

test("an abandoned reader cancels the stream", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("tick\n")),
    cancel: () => {
      cancelled = true;
    },
  });
  for await (const line of lines(body)) {
    assert.equal(line, "tick");
    break;
  }
  assert.ok(cancelled);
});
