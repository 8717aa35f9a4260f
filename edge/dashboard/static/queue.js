// The reviews that wait, and the answer that was just given: held back for some seconds so that it
// can be taken back, because what stands in the ledger stays. Knows nothing of how it looks.
import { ask, look } from "./core.js";

export const HELD_MS = 5000;

export class Queue {
  #changed;
  #said;
  #held = null; // {review, verdict, timer}
  #asking = 0;
  #answered = new Set(); // ids; the device may not have heard of it yet when it is asked
  waiting = null; // null before the first answer
  error = null;
  current = null; // review that is looked at

  /**
   * @param {() => void} changed told when something is to be drawn
   * @param {(review: object, verdict: object, answer: object|null, error: Error|null) => void} said
   *   told how an answer ended
   */
  constructor(changed, said) {
    this.#changed = changed;
    this.#said = said;
  }

  get held() {
    return this.#held;
  }

  get next() {
    return this.waiting?.find((each) => each.review_id !== this.current?.review_id) ?? null;
  }

  /** Ask what waits; what is looked at stays in its place. */
  async refresh() {
    const asking = ++this.#asking;
    try {
      const { items } = await look("/api/v1/review?wanted=open&limit=50");
      if (asking !== this.#asking) return;
      this.error = null;
      this.waiting = items.filter((each) => !this.#answered.has(each.review_id));
      const still = this.waiting.find((each) => each.review_id === this.current?.review_id);
      this.current = still ?? this.waiting[0] ?? null;
    } catch (error) {
      if (asking !== this.#asking) return;
      this.error = error;
    }
    this.#changed();
  }

  choose(review) {
    this.current = review;
    this.#changed();
  }

  /** Answer what is looked at; an answer that was held before goes out. */
  answer(verdict) {
    this.flush();
    const review = this.current;
    this.#answered.add(review.review_id);
    this.#drop(review);
    this.#held = { review, verdict, timer: setTimeout(() => this.flush(), HELD_MS) };
    this.#changed();
  }

  /** Take the held answer back. */
  undo() {
    if (!this.#held) return;
    clearTimeout(this.#held.timer);
    const { review } = this.#held;
    this.#held = null;
    this.#return(review);
    this.current = review;
    this.#changed();
  }

  /** Send the held answer; also while the page goes away. */
  async flush({ leaving = false } = {}) {
    const held = this.#held;
    if (!held) return;
    clearTimeout(held.timer);
    this.#held = null;
    const address = `/api/v1/review/${encodeURIComponent(held.review.review_id)}/verdict`;
    try {
      const answer = await ask("POST", address, held.verdict, { keepalive: leaving });
      this.#said(held.review, held.verdict, answer, null);
    } catch (error) {
      this.#said(held.review, held.verdict, null, error);
      // Not reached: the answer is given again by whoever gave it. Settled by another: it is gone.
      if (error.status !== 409) this.#return(held.review);
      this.current ??= this.waiting[0] ?? null;
      this.#changed();
    }
  }

  /** Leave it to somebody else: it goes to the end. */
  async pass(reason) {
    await this.flush();
    const review = this.current;
    this.#drop(review);
    this.waiting = [...this.waiting, review];
    this.current ??= this.waiting[0];
    this.#changed();
    await ask("POST", `/api/v1/review/${encodeURIComponent(review.review_id)}/pass`, { reason });
    await this.refresh();
  }

  #return(review) {
    this.#answered.delete(review.review_id);
    this.waiting = [review, ...this.waiting.filter((each) => each.review_id !== review.review_id)];
  }

  #drop(review) {
    const place = this.waiting.findIndex((each) => each.review_id === review.review_id);
    this.waiting = this.waiting.filter((each) => each.review_id !== review.review_id);
    this.current = this.waiting[Math.max(place, 0)] ?? this.waiting[0] ?? null;
  }
}
