// The shop's live state: one stream a page, shared by whoever listens, and how its line is.
import { look, page } from "./core.js";

const SILENT_AFTER_MS = 25_000; // the device says something at least every 10 s
const SAID_AFTER_MS = 2_000; // streams end now and then; what comes back sooner was never gone
const RETRY_MS = [300, 1000, 2000, 4000, 8000];

class Feed {
  #listeners = new Set();
  #source = null;
  #retries = 0;
  #retry = 0;
  #silence = 0;
  #saying = 0;
  state = null;
  line = "waiting"; // "live", "lost"

  /** Be told of every state and of every change of the line. */
  listen(listener) {
    this.#listeners.add(listener);
    if (this.state || this.line !== "waiting") listener(this.state, this.line);
    if (!this.#source && !this.#retry) this.#open();
  }

  #tell() {
    for (const each of this.#listeners) each(this.state, this.line);
  }

  #open() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    if (document.hidden) return; // a page that nobody looks at costs the device nothing
    const source = new EventSource("/api/v1/live");
    this.#source = source;
    this.#listenForSilence();
    source.addEventListener("state", (event) => {
      this.#listenForSilence();
      clearTimeout(this.#saying);
      this.#saying = 0;
      this.#retries = 0;
      this.state = JSON.parse(event.data);
      this.line = "live";
      this.#tell();
    });
    source.addEventListener("beat", () => this.#listenForSilence());
    source.addEventListener("error", () => this.#lost());
  }

  #listenForSilence() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENT_AFTER_MS);
  }

  #close() {
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = null;
  }

  #lost() {
    this.#close();
    this.#saying ||= setTimeout(() => this.#say(), SAID_AFTER_MS);
    const wait = RETRY_MS[Math.min(this.#retries++, RETRY_MS.length - 1)];
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#open(), wait);
  }

  #say() {
    this.line = "lost";
    this.#tell();
    // A session that has ended looks like a lost line; asking who we are tells them apart.
    if (page.me) look("/api/v1/me").catch(() => {});
  }

  /** Stop listening, as before signing out. */
  rest() {
    this.#close();
    clearTimeout(this.#retry);
    clearTimeout(this.#saying);
    this.#retry = this.#saying = 0;
  }

  /** The page is shown again, or hidden. */
  wake() {
    if (document.hidden) {
      this.rest();
    } else if (!this.#source && this.#listeners.size) {
      this.#open();
    }
  }
}

export const feed = new Feed();
document.addEventListener("visibilitychange", () => feed.wake());
addEventListener("online", () => feed.wake());
addEventListener("pageshow", () => feed.wake());
