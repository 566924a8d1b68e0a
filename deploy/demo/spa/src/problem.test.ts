import assert from "node:assert/strict";
import { test } from "node:test";
import { problemFrom } from "./problem.ts";

const problemJson = { "content-type": "application/problem+json; charset=utf-8" };

test("a problem keeps status, code, title and detail", async () => {
  const body = JSON.stringify({ title: "Not allowed", code: "denied", detail: "admins only", status: 403 });
  const problem = await problemFrom(new Response(body, { status: 403, headers: problemJson }));
  assert.deepEqual(
    [problem.status, problem.code, problem.title, problem.detail],
    [403, "denied", "Not allowed", "admins only"],
  );
});

test("any other error answer is a problem with the status alone", async () => {
  for (const response of [
    new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "content-type": "text/html" } }),
    new Response("not json", { status: 502, headers: problemJson }),
    new Response("[1]", { status: 502, headers: problemJson }),
  ]) {
    const problem = await problemFrom(response);
    assert.deepEqual([problem.status, problem.code, problem.title], [502, "", "The server answered 502"]);
  }
});
