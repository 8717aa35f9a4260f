// Photos on their way in: each is shown at once, sent, judged, and says what is wrong with it beside
// what it has to do with. Knows no page.
import { hasText, html, icon, nothing, t } from "./core.js";
import { sized } from "./portal.js";

const AT_ONCE = 3;
const PHOTOS = /\.(jpe?g|png|webp|bmp)$/i;

/** Files of a drop, folders included; each with its path below what was dropped. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((each) => each.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  async function walk(entry, path) {
    if (entry.isFile) {
      found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path: path + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!some.length) return;
      for (const each of some) await walk(each, `${path}${entry.name}/`);
    }
  }
  for (const each of entries) await walk(each, "");
  return found;
}
export const picked = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
export const isPhoto = ({ path }) => PHOTOS.test(path);

/** A field that takes files by dropping, by choosing, and by the keyboard. */
export const dropField = (take, { title, text, accept = "image/*", choose = t("portal.choose_files") }) => {
  const stop = (event) => { event.preventDefault(); event.currentTarget.classList.toggle("here", event.type === "dragover"); };
  return html`<div class="drop" @dragover=${stop} @dragleave=${stop} @drop=${async (event) => { stop(event); take(await dropped(event.dataTransfer)); }}>
    ${icon("photo")}<strong>${title}</strong><p class="soft small">${text}</p>
    <div class="row wrap"><label class="button">${icon("photo")}${choose}<input type="file" multiple accept=${accept} @change=${(event) => { take(picked(event.target)); event.target.value = ""; }}></label>
      <label class="button">${icon("folder")}${t("portal.choose_folder")}<input type="file" multiple webkitdirectory @change=${(event) => { take(picked(event.target)); event.target.value = ""; }}></label></div>
  </div>`;
};

/** Sends files, a few at once, in their order. */
export class Sending {
  #send;
  #changed;
  #running = 0;
  waiting = []; // {file, path, url, state, error}: sent ones leave

  /**
   * @param {(item: object) => Promise<void>} send sends one
   * @param {() => void} changed told when something is to be drawn
   */
  constructor(send, changed) {
    this.#send = send;
    this.#changed = changed;
  }

  get underWay() {
    return this.waiting.filter((each) => each.state !== "failed").length;
  }

  add(files) {
    this.waiting.push(...files.map((each) => ({ ...each, url: URL.createObjectURL(each.file), state: "waiting", error: null })));
    this.#changed();
    this.#pump();
  }

  again(item) {
    item.state = "waiting";
    this.#changed();
    this.#pump();
  }

  forget(item) {
    URL.revokeObjectURL(item.url);
    this.waiting = this.waiting.filter((each) => each !== item);
    this.#changed();
  }

  #pump() {
    while (this.#running < AT_ONCE) {
      const item = this.waiting.find((each) => each.state === "waiting");
      if (!item) return;
      item.state = "sending";
      this.#running += 1;
      this.#send(item).then(
        () => this.forget(item),
        (error) => { Object.assign(item, { state: "failed", error }); },
      ).finally(() => {
        this.#running -= 1;
        this.#changed();
        this.#pump();
      });
    }
  }
}

export const onItsWay = (item, sending) => html`<li class="photo-tile ${item.state === "failed" ? "wrong" : ""}">
  <div class="frame"><img src=${item.url} alt=""><progress class="bar" aria-label=${t("portal.sending")} ?hidden=${item.state === "failed"}></progress></div>
  <div class="said"><span class="small cut">${item.file.name}</span>
    ${item.state === "failed" ? html`<p class="small">${item.error.message}</p><div class="row wrap"><button class="button" type="button" @click=${() => sending.again(item)}>${t("common.again")}</button><button class="button quiet" type="button" @click=${() => sending.forget(item)}>${t("portal.leave_out")}</button></div>` : html`<span class="soft small">${t(item.state === "sending" ? "portal.judging" : "portal.in_line")}</span>`}</div></li>`;

const faultWords = (fault) => (hasText(`portal.fault_${fault.kind}`) ? t(`portal.fault_${fault.kind}`) : fault.reason);
const toDo = (fault) => (hasText(`portal.fault_${fault.kind}_to_do`) ? t(`portal.fault_${fault.kind}_to_do`, { sku: fault.sku ?? "" }) : fault.reason);

/** Two pictures beside each other, each with its name. */
export const sideBySide = (own, ownName, other, otherName) => html`<div class="beside">
  <figure><img src=${sized(own, 320)} alt=${ownName} loading="lazy"><figcaption>${ownName}</figcaption></figure>
  <figure><img src=${sized(other, 320)} alt=${otherName} loading="lazy"><figcaption>${otherName}</figcaption></figure></div>`;

/** A photo that is here, and what was found of it. */
export const judged = (photo, { actions = nothing, remove = null } = {}) => {
  const [fault] = photo.faults;
  const used = photo.is_good || photo.is_kept_by_hand;
  return html`<li class="photo-tile ${used ? "" : "wrong"}">
    <div class="frame"><img src=${sized(photo.url, 320)} alt=${photo.name} loading="lazy">
      ${remove ? html`<button class="button icon-only take-out" type="button" aria-label=${t("portal.leave_out_photo", { name: photo.name })} title=${t("portal.leave_out")} @click=${remove}>${icon("cross")}</button>` : nothing}
      ${used ? html`<span class="chip ${photo.is_good ? "good" : "warn"}">${icon("check")}${t(photo.is_good ? "portal.photo_good" : "portal.photo_kept")}</span>` : html`<span class="chip bad">${icon("alert")}${fault ? faultWords(fault) : t("portal.photo_unused")}</span>`}</div>
    ${fault || actions !== nothing ? html`<div class="said">
      ${fault ? html`<p class="small" title=${fault.reason}>${toDo(fault)}</p>
        ${fault.photo_url ? sideBySide(photo.url, t("portal.this_photo"), fault.photo_url, fault.sku ?? t("portal.other_photo")) : nothing}` : nothing}
      ${actions}</div>` : nothing}</li>`;
};

