// Keeps a pipeline's page up to date while it runs. The page says everything without this file; then
// it loads itself anew every few seconds. All markup comes escaped from the server.
"use strict";

(() => {
  const page = document.querySelector("[data-live]");
  if (!page) return;

  const PERIOD_MS = 1000;
  const SOON_MS = 50; // while more output is stored than one update carries
  const MOST_CHARS = 1_500_000; // of one step's log; older output stays behind "Whole log"
  const SLOWEST_MS = 30_000;
  const note = document.getElementById("live-note");
  const shown = new WeakMap(); // element → markup last put there, to leave alone what has not changed
  const openedByUs = new WeakSet();
  let next = page.dataset.next;
  let failures = 0;

  let done = false;

  function put(element, markup) {
    if (!element || shown.get(element) === markup) return;
    // Whoever is on a link or a fold in here by keyboard stays there.
    const focused = document.activeElement;
    if (!done && focused !== element && element.contains(focused)) return;
    // An open table of times stays open.
    const open = element.querySelector(".times[open]") !== null;
    shown.set(element, markup);
    element.innerHTML = markup;
    if (open) element.querySelector(".times")?.setAttribute("open", "");
  }

  function append(log, lines, tail) {
    // The panel is laid out from its end, where scrollTop is 0: a reader there follows by itself.
    // One who has scrolled up keeps the lines before his eyes.
    const above = log.scrollHeight + log.scrollTop;
    const following = log.scrollTop > -24;
    const target = log.querySelector(".lines");
    if (lines) {
      const block = document.createElement("span");
      block.innerHTML = lines;
      target.append(block);
      while (following && target.textContent.length > MOST_CHARS && target.children.length > 1) {
        target.firstChild.remove();
      }
    }
    if (tail !== null) put(log.querySelector(".tail"), tail);
    log.scrollTop = following ? 0 : above - log.scrollHeight;
  }

  function updateStep(step) {
    const element = document.getElementById(step.id);
    if (!element) return false;
    if (element.dataset.state !== step.state) {
      if (step.state === "running" && !element.open) {
        element.open = true;
        openedByUs.add(element);
      }
      if (step.state === "succeeded" && openedByUs.has(element)) element.open = false;
      element.dataset.state = step.state;
      if (step.state !== "waiting" && step.state !== "skipped") delete element.dataset.quiet;
    }
    put(element.querySelector("summary"), step.summary);
    if (step.append || step.tail !== null) {
      append(element.querySelector(".log"), step.append, step.tail);
    }
    return true;
  }

  function updateJob(job) {
    const element = document.getElementById(job.id);
    if (job.html !== undefined) {
      const holder = document.createElement("template");
      holder.innerHTML = job.html;
      if (element) element.replaceWith(holder.content);
      else document.getElementById("jobs").append(holder.content);
      return true;
    }
    if (!element) return false;
    put(element.querySelector(".job-head"), job.head);
    return job.steps.every(updateStep);
  }

  function update(body) {
    done = body.done;
    document.title = body.title;
    put(document.getElementById("head"), body.head);
    next = body.next;
    note.textContent = body.note;
    // A step or job that this page has no place for: the server knows how to show it.
    if (!body.jobs.every(updateJob)) location.reload();
  }

  async function poll() {
    const url = `${page.dataset.live}?after=${encodeURIComponent(next)}`;
    const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
    if (answer.status >= 400 && answer.status < 500) return "stop";
    if (!answer.ok) throw new Error(String(answer.status));
    const body = await answer.json();
    update(body);
    if (body.done) return "done";
    return body.more ? "soon" : "again";
  }

  async function follow() {
    try {
      const what = await poll();
      failures = 0;
      note.classList.toggle("trouble", what === "stop");
      if (what === "stop") note.textContent = "Live updates have ended. Load the page anew.";
      if (what === "soon") setTimeout(follow, SOON_MS);
      if (what !== "again") return;
    } catch {
      failures += 1;
      note.classList.add("trouble");
      note.textContent = "Berth does not answer; trying again.";
    }
    setTimeout(follow, Math.min(PERIOD_MS * 2 ** failures, SLOWEST_MS));
  }

  for (const step of document.querySelectorAll('.step[open][data-state="running"]')) {
    openedByUs.add(step);
  }
  setTimeout(follow, PERIOD_MS);
})();
