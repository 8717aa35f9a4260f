// What the portal's pages share: how products stand, photos and what is wrong with them, decisions,
// and looking again. Knows no page.
import { failed, html, icon, money, n, nothing, number, percent, render, svg, t } from "./core.js";

// ---------- looking

/**
 * A page's content that is asked for and drawn.
 * @param {string} id of the place
 * @param {() => Promise<object>} read asks for it
 * @param {(value: object) => unknown} draw makes what is shown of it
 */
export function content(id, read, draw) {
  const place = document.getElementById(id);
  let value = null;
  let error = null;
  let asking = 0;
  const it = {
    place,
    get value() { return value; },
    set value(other) { value = other; it.show(); },
    async refresh() {
      const turn = ++asking;
      try {
        const answer = await read();
        if (turn !== asking) return;
        value = answer;
        error = null;
      } catch (refused) {
        if (turn !== asking) return;
        error = refused;
      }
      it.show();
    },
    show() {
      if (value === null) {
        if (error) render(failed(error, it.refresh), place);
        return;
      }
      const stale = error ? html`<p class="banner bad over" role="alert">${icon("alert")}<span>${error.message}</span></p>` : nothing;
      render(html`${stale}${draw(value)}`, place);
    },
  };
  return it;
}

/** Ask now and from time to time, as long as somebody looks. */
export function keepUp(refresh, everyMs) {
  refresh();
  setInterval(() => { if (!document.hidden) refresh(); }, everyMs);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
}

// ---------- addresses

const q = encodeURIComponent;
export const api = {
  product: (sku, rest = "") => `/api/v1/products/${q(sku)}${rest}`,
  photo: (sku, photo, rest = "") => `/api/v1/products/${q(sku)}/photos/${q(photo)}${rest}`,
};
export const productPage = (sku) => `/products/${q(sku)}`;
/** An address with those of the values that say something. */
export function withValues(address, values) {
  const said = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return said.length ? `${address}?${new URLSearchParams(said)}` : address;
}
/** The photo in another width; what a page shows small need not come large. */
export const sized = (url, width) => (url ? `${url}${url.includes("?") ? "&" : "?"}width=${width}` : url);

// ---------- how a product stands

export const STAGES = ["collecting", "waiting", "refused", "approved", "live", "withdrawing", "withdrawn"];
const LOOKS = { collecting: ["", "photo"], waiting: ["warn", "wait"], refused: ["bad", "cross"], approved: ["accent", "check"], live: ["good", "check"], withdrawing: ["warn", "undo"], withdrawn: ["", "cross"] };
export const stage = (name) => html`<span class="chip ${LOOKS[name][0]}">${icon(LOOKS[name][1])}${t(`portal.stage_${name}`)}</span>`;

export const picture = (url, alt = "", kind = "thumb whole") =>
  url ? html`<img class=${kind} src=${sized(url, 160)} alt=${alt} loading="lazy">` : html`<span class="${kind} none" aria-hidden="true">${icon("photo")}</span>`;
export const price = (each) => (each.price ? money(each.price, each.currency) : "");

// ---------- decisions

const KINDS = ["accepts", "reviews", "rejects"];
/** Shares of decisions: ``{accepts, reviews, rejects}``. */
export const shares = (counts, { words = true } = {}) => {
  const total = KINDS.reduce((sum, kind) => sum + counts[kind], 0);
  if (!total) return html`<p class="soft small">${t("portal.no_decisions")}</p>`;
  return html`<div class="shares">
    ${parts(KINDS.map((kind) => [kind, counts[kind]]))}
    ${words ? html`<p class="row wrap small">${KINDS.map((kind) => html`<span class="key ${kind}">${t(`portal.${kind}`)} <span class="number strong">${percent(counts[kind] / total, 1)}</span></span>`)}<span class="soft number">${n("portal.decided", total)}</span></p>` : nothing}</div>`;
};

/** A bar of parts, ``[[kind, count], ...]``; kinds are style classes. */
export function parts(counted) {
  const total = counted.reduce((sum, [, count]) => sum + count, 0) || 1;
  let from = 0;
  return html`<svg class="parts" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">${counted.map(([kind, count]) => {
    const x = from;
    const wide = (count / total) * 100;
    from += wide;
    return svg`<rect class=${kind} x=${x} y="0" width=${wide} height="6" />`;
  })}</svg>`;
}

// ---------- figures by name

const SHARE = /(accuracy|share|recall|coverage|precision|error|accepted|_at_|rate)/;
/** A figure of an evaluation: shares as percent, counts as counts. */
export function figure(name, value) {
  if (typeof value !== "number") return value ?? "–";
  if (Number.isInteger(value) && (Math.abs(value) > 1 || !SHARE.test(name))) return number(value);
  if (SHARE.test(name) && value >= 0 && value <= 1) return percent(value, 1);
  return number(value, Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3);
}
export const spoken = (name) => name.replaceAll("_", " ").replaceAll("/", " · ");
export const figures = (values) => html`<dl class="facts small">${Object.entries(values).map(([name, value]) => html`<dt>${spoken(name)}</dt><dd class="number">${figure(name, value)}</dd>`)}</dl>`;

/** A heading over a card's content. */
export const card = (title, body, extra = nothing, kind = "") => html`<section class="card ${kind}"><header><h2>${title}</h2>${extra}</header>${body}</section>`;
