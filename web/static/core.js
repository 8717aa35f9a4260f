// What every page's script stands on: what the page began with, words, numbers, questions to the
// server, messages. Knows no page.
import { html, nothing, render as fill, svg } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";

export { html, nothing, repeat, svg };

const begun = new WeakSet();
/** Show content in a place; what the server put there to wait with goes at the first time. */
export function render(content, place) {
  if (!begun.has(place)) place.replaceChildren();
  begun.add(place);
  fill(content, place);
}

export const page = JSON.parse(document.getElementById("page").textContent);

// ---------- words

/** A text of the page's sections, "section.key", with its places filled. */
export function t(name, values = {}) {
  const dot = name.indexOf(".");
  const text = page.words[name.slice(0, dot)]?.[name.slice(dot + 1)];
  if (text === undefined) throw new Error(`this page was given no text ${name}`);
  return text.replace(/\{(\w+)\}/g, (place, key) => (key in values ? values[key] : place));
}

/** Whether there is such a text. */
export function hasText(name) {
  const dot = name.indexOf(".");
  return page.words[name.slice(0, dot)]?.[name.slice(dot + 1)] !== undefined;
}

const plural = new Intl.PluralRules(page.language);

/** A text whose form a number decides: "section.key" stands for key.one, key.other... */
export function n(name, count, values = {}) {
  const form = `${name}.${plural.select(count)}`;
  return t(hasText(form) ? form : `${name}.other`, { n: number(count), ...values });
}

// ---------- numbers and times, as the shop's region writes them where it speaks the page's language

const region = page.locale.replace("_", "-");
const tongue = region.split("-")[0] === page.language ? region : page.language;
const formats = new Map();
function format(kind, options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl[kind](tongue, options));
  return formats.get(key);
}
const zoned = (options) => format("DateTimeFormat", { timeZone: page.timezone, ...options });

export const number = (value, digits = 0) =>
  format("NumberFormat", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
export const percent = (share, digits = 0) =>
  format("NumberFormat", { style: "percent", maximumFractionDigits: digits }).format(share);
export const money = (amount, currency = page.currency) =>
  format("NumberFormat", { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(amount);
const date = (at) => (typeof at === "number" ? new Date(at * 1000) : new Date(at));
export const time = (at) => zoned({ timeStyle: "short" }).format(date(at));
export const clock = (at) => zoned({ timeStyle: "medium" }).format(date(at));
export const dateTime = (at) => zoned({ dateStyle: "medium", timeStyle: "short" }).format(date(at));
export const day = (at) => zoned({ dateStyle: "full" }).format(date(at));
/** A list in words: "a, b or c". */
export const either = (texts) => format("ListFormat", { type: "disjunction" }).format(texts);
export const all = (texts) => format("ListFormat", { type: "conjunction" }).format(texts);
/** How long, in the largest unit that says enough. */
export function span(seconds) {
  const [unit, size] = seconds < 90 ? ["second", 1] : seconds < 5400 ? ["minute", 60] : seconds < 129600 ? ["hour", 3600] : ["day", 86400];
  return format("NumberFormat", { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(seconds / size);
}
export function bytes(count) {
  const [unit, size] = count < 1e6 ? ["kilobyte", 1e3] : count < 1e9 ? ["megabyte", 1e6] : ["gigabyte", 1e9];
  return format("NumberFormat", { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(count / size);
}

// ---------- questions to the server

/** What the server refused or could not be asked: status 0 when it was not reached. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function toSignIn() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

/**
 * Ask the server; gives its JSON, or null where it has none to give. Whoever is not known (any more)
 * goes to sign in, unless they ``stay``.
 */
export async function ask(method, address, body, { stay = false, ...options } = {}) {
  let answer;
  try {
    answer = await fetch(address, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      ...options,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, t("common.not_reached"));
  }
  if (answer.status === 401 && page.me && !stay) toSignIn();
  const kind = answer.headers.get("Content-Type") ?? "";
  const value = kind.startsWith("application/json") && answer.status !== 204 ? await answer.json() : null;
  if (!answer.ok) {
    const said = typeof value?.error === "string" ? value.error : t("common.refused", { status: answer.status });
    throw new Refused(answer.status, said);
  }
  return value;
}
export const look = (address, options) => ask("GET", address, undefined, options);

export const photo = (sku, index = 0) => `/api/v1/products/${encodeURIComponent(sku)}/photos/${index}.jpg`;

// ---------- what is drawn everywhere

export const icon = (name) => html`<svg class="icon" aria-hidden="true"><use href="#i-${name}" /></svg>`;

/** A stored picture; what it shows in words. */
export const moment = (each) => t(`common.moment_${each.moment.replace("-", "_")}`);

export const empty = (name, title, text = "") =>
  html`<div class="empty">${icon(name)}<strong>${title}</strong>${text ? html`<p>${text}</p>` : nothing}</div>`;

export const failed = (error, again) => html`<div class="empty" role="alert">
  ${icon("alert")}<strong>${t("common.failed")}</strong><p>${error.message}</p>
  <button class="button" type="button" @click=${again}>${t("common.again")}</button>
</div>`;

/** A colour and a sign for a session, the same on every page. */
export function colour(session) {
  const digits = /(\d+)$/.exec(session ?? "");
  let code = digits ? Number(digits[1]) - 1 : 0;
  if (!digits) for (const letter of session ?? "") code = (code * 31 + letter.codePointAt(0)) % 997;
  return session ? `c${((code % 8) + 8) % 8}` : "nobody";
}
export const sign = (label) => /(\d{1,2})$/.exec(label ?? "")?.[1] ?? (label ? [...label][0].toUpperCase() : "?");
export const dot = (session, label) => html`<span class="dot ${colour(session)}" aria-hidden="true">${sign(label)}</span>`;

/** Pictures that are gone (evidence is kept only so long) leave an even field. */
export const gone = (event) => event.target.classList.add("gone");
document.addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) gone(event);
}, true);

// ---------- messages

const toasts = document.getElementById("toasts");

/** Say something for a while; gives a function that takes it away. */
export function toast(text, { kind = "", action = null, seconds = 5 } = {}) {
  const box = document.createElement("div");
  box.className = `toast ${kind}`;
  const away = () => box.remove();
  render(
    html`<span class="grow">${text}</span>${action
      ? html`<button class="button" type="button" @click=${() => { away(); action.act(); }}>${action.text}${action.key ? html` <kbd>${action.key}</kbd>` : nothing}</button>`
      : nothing}`,
    box,
  );
  toasts.append(box);
  setTimeout(away, seconds * 1000);
  return away;
}
export const complain = (error) => toast(error.message, { kind: "bad", seconds: 8 });

/** Ask something in a dialog; gives the form's values, or null when it was left. */
export function asked(content) {
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  render(content(() => dialog.close("")), dialog);
  const form = dialog.querySelector("form");
  form.method = "dialog";
  dialog.setAttribute("aria-labelledby", "dialog-title");
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      const said = dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null;
      dialog.remove();
      resolve(said);
    });
    dialog.showModal();
  });
}
