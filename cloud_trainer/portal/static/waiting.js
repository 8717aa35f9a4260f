// What waits for an operator, beside its place: how many products are handed in.
import { look, page } from "./core.js";
import { keepUp } from "./portal.js";

const count = document.getElementById("approve-count");
/** Tell other scripts of the page when it changes. */
export function tellWaiting(waiting) {
  if (count) count.textContent = waiting ? String(waiting) : "";
}
async function refresh() {
  try {
    const waiting = await look("/api/v1/waiting");
    tellWaiting(waiting.stages.waiting ?? 0);
    document.dispatchEvent(new CustomEvent("waiting", { detail: waiting }));
  } catch {
    // Whatever the page itself asks for says what is wrong.
  }
}
if (page.me && count) keepUp(refresh, 5000);
