// The line to the device, and how many reviews wait: around every staff page.
import { t } from "./core.js";
import { feed } from "./feed.js";

const find = (id) => document.getElementById(id);
const lineWords = { waiting: "common.connecting", live: "common.live", lost: "common.lost" };
feed.listen((state, line) => {
  const shown = find("link-state");
  if (shown.dataset.line !== line) {
    shown.dataset.line = line;
    shown.className = `link-state ${line}`;
    shown.textContent = t(lineWords[line]);
    document.body.classList.toggle("offline", line === "lost");
  }
  const waiting = state?.open_reviews ?? 0;
  const text = waiting ? String(waiting) : "";
  if (find("review-count").textContent !== text) find("review-count").textContent = text;
});

document.addEventListener("leaving", () => feed.rest());
document.addEventListener("staying", () => feed.wake());
