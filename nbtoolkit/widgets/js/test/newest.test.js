import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { SILENT } from "../src/channel.js";
import { Newest } from "../src/newest.js";

/** A kernel that answers when it is told to. */
function kernel() {
  const jobs = [];
  const replies = [];
  const send = (question) => {
    const job = { question, cancel: () => (job.cancelled = true) };
    job.result = new Promise((resolve, reject) => Object.assign(job, { resolve, reject }));
    jobs.push(job);
    return job;
  };
  const newest = new Newest(send, (question, reply, error) => replies.push([question, reply, error?.message]));
  return { jobs, replies, newest };
}
const settled = () => new Promise((done) => setImmediate(done));

test("while a reply is on its way, only the newest question waits", async () => {
  const { jobs, replies, newest } = kernel();
  for (let i = 0; i < 100; i++) newest.ask(i);
  assert.deepEqual([jobs.length, jobs[0].question], [1, 0]);
  jobs[0].resolve("a");
  await settled();
  assert.deepEqual([jobs.length, jobs[1].question, replies], [2, 99, [[0, "a", undefined]]]);
  jobs[1].reject(new Error("no"));
  await settled();
  assert.deepEqual([replies[1], jobs.length], [[99, null, "no"], 2]);
  newest.ask(100); // usable after an error
  assert.equal(jobs[2].question, 100);
  newest.cancel();
  jobs[2].resolve("late");
  await settled();
  assert.ok(jobs[2].cancelled && replies.length === 2);
});

test("a kernel that no longer answers does not stop the slider", async () => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    const { jobs, replies, newest } = kernel();
    newest.ask(1);
    newest.ask(2);
    mock.timers.tick(5002); // it waits no longer
    assert.deepEqual([jobs.length, jobs[0].cancelled, jobs[1].question], [2, true, 2]);
    mock.timers.tick(60_000);
    await settled();
    assert.deepEqual(replies, [[2, null, SILENT]]);
  } finally {
    mock.timers.reset();
  }
});
