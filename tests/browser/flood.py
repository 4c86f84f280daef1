"""Malformed messages, ten thousand of them, as a page that is broken or hostile sends them; and what comes back."""

# Sends n messages to the comm of a widget, then, once a second, a request that is right. Resolves with the seconds until the
# kernel answers an execution and until the view answers a request, and with the number of messages of each kind that the kernel
# sent meanwhile. A kernel drops messages to a server that is slower (ZeroMQ's limit is 1,000), so the first reply may be lost.
FLOOD = """async ([id, n, valid, limit]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const comm = kernel._comms?.get(id) ?? kernel.createComm("jupyter.widget", id);
  const odd = [null, true, -1, 1e300, "", "\\ud800", [], [[[]]], {}, { a: {} }, Array(65).fill(0), "/etc/passwd"];
  const counts = {}, errors = new Map(), first = -1000; // the view's own are positive
  let right = null;
  const replied = new Promise((resolve) => (right = resolve));
  const noted = (reply) => {
    if (reply.error) errors.set(reply.id, (errors.get(reply.id) ?? 0) + 1);
    if (reply.id <= first) right(reply);
  };
  let latest = performance.now();
  const watch = (_, message) => {
    latest = performance.now();
    const { header, content } = message;
    const ours = header.msg_type === "comm_msg" && content.comm_id === id ? content.data : null;
    const kind = ours?.content?.kind ?? ours?.method ?? header.msg_type;
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (kind === "reply") noted(ours.content);
    if (kind === "replies") ours.content.replies.forEach(noted);
  };
  kernel.iopubMessage.connect(watch);
  const custom = (content) => ({ method: "custom", content });
  const begun = performance.now();
  const seconds = () => (performance.now() - begun) / 1e3;
  const hung = new Promise((resolve) => setTimeout(resolve, limit * 1e3, null));
  for (let i = 0; i < n; i++) {
    const [a, b] = [odd[i % odd.length], odd[(i * 7 + 3) % odd.length]];
    const op = ["thumbs", "sample", "layer", "search", "x"][i % 5];
    comm.send([
      custom({ kind: "request", id: i, op, args: { rows: a, row: a, layer: b } }),
      custom({ kind: "request", id: i, op: "thumbs", args: { rows: Array(65).fill(0) } }),
      custom({ kind: "request", id: a, op: b, args: a }),
      custom(a),
      { method: "update", state: { _meta: a, _esm: b, steps: a, step: 99, layer: "../4" } },
      { method: "update", state: a, buffer_paths: b },
      { method: a },
    ][i % 7]);
  }
  const sent = seconds();
  let requests = 0;
  const ask = () => valid && comm.send(custom({ kind: "request", id: first - requests++, op: "ids", args: {} }));
  ask();
  const asking = setInterval(ask, 1000);
  const future = kernel.requestExecute({ code: "1", store_history: false });
  const executed = new Promise((resolve) => (future.onReply = () => resolve(seconds())));
  const [answer, reply] = await Promise.all([
    Promise.race([executed, hung]),
    valid ? Promise.race([replied.then((reply) => [seconds(), reply]), hung]) : null,
  ]);
  clearInterval(asking);
  while (performance.now() - latest < 1000 && seconds() < limit) await new Promise((resolve) => setTimeout(resolve, 200));
  kernel.iopubMessage.disconnect(watch);
  const numbers = [...errors.keys()].filter((number) => number >= 0 && number < n);
  return {
    sent, kernel: answer, view: reply?.[0] ?? null, ids: reply?.[1].data?.ids?.length, requests, counts,
    errors: numbers.length, repeated: numbers.filter((number) => errors.get(number) > 1).length,
  };
}"""
