// The camera page: the newest frame goes to the device, the names that come back stand on the
// products and go with them until the next answer. Never more than one frame is under way.
import { html, icon, money, nothing, photo, render, repeat, t, toSignIn } from "./core.js";
import { around, contrast, followed, greyOf, overlap, sampled } from "./follow.js";

const SENT_PX = 640; // longest side of what is sent
const GREY_PX = 160; // longest side of what is followed in
const PAUSE_MS = 60; // between an answer and the next frame: the device has a shop to run
const BUSY_MS = 1000;
const FORGOTTEN_MS = 1200; // without a confirming answer, and the time of two answers
const SAME = 0.25;
const PLAIN = 8; // contrast below which there is nothing to follow
const NEARLY = 0.55; // between accepting and rejecting
const SURE = 0.9; // one accepted look, or three in a row that nearly were and say the same
const RIM = 6; // pixels that stay free at the screen's edge
const KEPT_FRAMES = 40;

const find = (id) => document.getElementById(id);
const video = find("video"), scene = find("scene"), tagBox = find("tags");
const canvas = (side) => { const made = document.createElement("canvas"); made.width = made.height = side; return made; };
const sendCanvas = canvas(1), greyCanvas = canvas(1);
const greyInk = greyCanvas.getContext("2d", { willReadFrequently: true });

let stream = null;
let facing = "environment";
let cameras = 1;
let running = false; // frames are sent
let answeredIn = 0; // ms, of the newest answer
let trouble = "";
let tracks = []; // {key, box, going, samples, votes: Map(sku -> weight), products: Map, confirmedAt, shown, element}
let frames = []; // {at, picture}: grey pictures since the frame under way was taken
let keys = 0;

// ---------- the camera

async function open() {
  if (!window.isSecureContext) return fail("insecure");
  if (!navigator.mediaDevices?.getUserMedia) return fail("unsupported");
  hello("starting");
  try {
    stream?.getTracks().forEach((each) => each.stop());
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: { ideal: facing }, width: { ideal: 1280 }, height: { ideal: 720 } },
    });
  } catch (error) {
    const why = { NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "missing", OverconstrainedError: "missing" };
    return fail(why[error.name] ?? "taken");
  }
  stream.getVideoTracks()[0].addEventListener("ended", () => fail("taken"));
  video.srcObject = stream;
  await video.play();
  const devices = await navigator.mediaDevices.enumerateDevices();
  cameras = devices.filter((each) => each.kind === "videoinput").length;
  const turned = stream.getVideoTracks()[0].getSettings().facingMode;
  video.classList.toggle("mirrored", turned === "user");
  scene.dataset.state = "on";
  find("hello").hidden = true;
  running = true;
  trouble = "";
  draw();
  eachFrame();
  send();
}

function close() {
  running = false;
  stream?.getTracks().forEach((each) => each.stop());
  stream = null;
  video.srcObject = null;
  for (const each of tracks) each.element.remove();
  tracks = [];
  scene.dataset.state = "off";
  hello("start");
  draw();
}

function fail(why) {
  close();
  hello(why);
}

function hello(state) {
  const box = find("hello");
  box.hidden = false;
  if (state === "start" || state === "starting") {
    render(
      html`${icon("cameras")}<h1>${t("see.title")}</h1><p>${t("see.lead")}</p>
        <button class="button primary" type="button" id="start" ?disabled=${state === "starting"} @click=${open}>${t(`see.${state}`)}</button>
        <p class="small">${t("see.privacy")}</p>`,
      box,
    );
    return;
  }
  render(
    html`${icon("alert")}<h1 role="alert">${t(`see.${state}`)}</h1><p>${t(`see.${state}_help`)}</p>
      <button class="button primary" type="button" id="start" @click=${open}>${t("see.again")}</button>`,
    box,
  );
}

document.addEventListener("visibilitychange", () => {
  // A camera that nobody looks through goes on eating the battery.
  if (document.hidden && stream) close();
});

// ---------- the device

async function send() {
  if (!running) return;
  const began = performance.now();
  const width = video.videoWidth, height = video.videoHeight;
  if (!width) { setTimeout(send, PAUSE_MS); return; }
  const scale = Math.min(1, SENT_PX / Math.max(width, height));
  sendCanvas.width = Math.round(width * scale);
  sendCanvas.height = Math.round(height * scale);
  sendCanvas.getContext("2d").drawImage(video, 0, 0, sendCanvas.width, sendCanvas.height);
  frames = [{ at: began, picture: grey() }];
  const picture = await new Promise((done) => sendCanvas.toBlob(done, "image/jpeg", 0.85));
  let pause = PAUSE_MS;
  try {
    const form = new FormData();
    form.append("image", picture, "frame.jpg");
    form.append("find", "true");
    form.append("regions", "8");
    form.append("maxResults", "1");
    const answer = await fetch("/api/v1/search", { method: "POST", body: form });
    if (answer.status === 401) return toSignIn();
    if (answer.status === 503 || answer.status === 429) {
      trouble = t("see.busy");
      pause = BUSY_MS;
    } else if (!answer.ok) {
      trouble = (await answer.json()).error;
      pause = BUSY_MS;
    } else {
      trouble = "";
      const told = await answer.json();
      if (running) {
        take(told.responses[0].productSearchResults.productGroupedResults);
        place();
        answeredIn = performance.now() - began;
        performance.measure("frame-to-label", { start: began, duration: answeredIn });
      }
    }
  } catch {
    trouble = t("see.lost");
    pause = BUSY_MS;
  }
  draw();
  setTimeout(send, pause);
}

/** What the device said about the first of the frames kept, brought to the newest of them. */
function take(groups) {
  const now = performance.now();
  const [sent, ...since] = frames;
  const named = new Set();
  for (const group of groups) {
    const box = around(group.boundingPoly.normalizedVertices);
    const { product } = group.results[0];
    const samples = sampled(sent.picture, box);
    // The surest comes first. A guess at what another place shows already is the ground beside it.
    const again = named.has(product.sku);
    named.add(product.sku);
    if (group.decision !== "accept" && (again || contrast(samples) < PLAIN)) continue;
    let there = { box, lost: false };
    let going = { x: 0, y: 0 };
    for (const { picture } of since) {
      const next = followed(picture, samples, there.box, going);
      if (next.lost) break;
      going = { x: next.box.x - there.box.x, y: next.box.y - there.box.y };
      there = next;
    }
    let track = standingFor(product.sku, there.box);
    if (track?.confirmed) continue;
    const weight = weightOf(group);
    // A mere guess puts nothing onto the picture.
    if (!track && !weight) continue;
    if (!track) {
      track = { key: (keys += 1), votes: new Map(), products: new Map(), element: tagElement(), shown: there.box };
      tracks.push(track);
    }
    Object.assign(track, { box: there.box, going, samples: sampled((since.at(-1) ?? sent).picture, there.box), confirmed: true, confirmedAt: now });
    for (const [sku, before] of track.votes) track.votes.set(sku, before * 0.6);
    track.votes.set(product.sku, (track.votes.get(product.sku) ?? 0) + weight);
    track.products.set(product.sku, product);
  }
  for (const track of tracks) {
    // Two that came to lie over each other and say the same are one; the newer answer stays.
    const same = tracks.find((each) => each !== track && !each.over && leading(each)[0] === leading(track)[0] && isWithin(each.box, track.box));
    if (same && !track.over && same.confirmed >= track.confirmed) track.over = true;
    const sure = tracks.some((each) => each !== track && !each.over && isSure(each) && leading(each)[0] === leading(track)[0]);
    if (sure && !isSure(track)) track.over = true;
  }
  for (const each of tracks) each.confirmed = false;
}

/** What one look counts: 1 as sure as the shop charges by, a half where it is near to that. */
function weightOf({ decision, gated, thresholds }) {
  if (decision === "accept") return 1;
  return (gated - thresholds.tl) / (thresholds.th - thresholds.tl) < NEARLY ? 0.5 : 0;
}

/** The track that an answer speaks of: one of the same product in this place, or any in this place. */
function standingFor(sku, box) {
  const here = tracks.filter((each) => overlap(each.box, box) > SAME || isWithin(each.box, box));
  return here.find((each) => leading(each)[0] === sku) ?? here.find((each) => !each.confirmed);
}

/** Whether one box lies mostly within the other. */
function isWithin(a, b) {
  const across = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const down = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return Math.max(0, across) * Math.max(0, down) > 0.5 * Math.min(a.w * a.h, b.w * b.h);
}

const leading = (track) => [...track.votes].reduce((best, each) => (each[1] > best[1] ? each : best));
const isSure = (track) => leading(track)[1] >= SURE;

// ---------- every frame

function grey() {
  const scale = GREY_PX / Math.max(video.videoWidth, video.videoHeight);
  const width = Math.round(video.videoWidth * scale), height = Math.round(video.videoHeight * scale);
  if (greyCanvas.width !== width || greyCanvas.height !== height) Object.assign(greyCanvas, { width, height });
  greyInk.drawImage(video, 0, 0, width, height);
  return greyOf(greyInk.getImageData(0, 0, width, height).data, width, height);
}

function eachFrame() {
  if (!stream) return;
  if (running && video.videoWidth) {
    const picture = grey();
    frames.push({ at: performance.now(), picture });
    if (frames.length > KEPT_FRAMES) frames.splice(1, 1);
    for (const track of tracks) {
      const next = followed(picture, track.samples, track.box, track.going);
      track.lost = next.lost;
      if (next.lost) continue;
      track.going = { x: next.box.x - track.box.x, y: next.box.y - track.box.y };
      track.box = next.box;
    }
    place();
  }
  if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(eachFrame);
  else requestAnimationFrame(eachFrame);
}

// ---------- what stands on the picture

function tagElement() {
  const element = document.createElement("div");
  element.className = "tag";
  const frame = document.createElement("div");
  frame.className = "frame";
  const words = document.createElement("div");
  words.className = "words";
  words.append(document.createElement("b"), document.createElement("span"));
  element.append(frame, words);
  tagBox.append(element);
  return element;
}

/** Put every tag where its product is; shares of the video become pixels of the page. */
function place() {
  const now = performance.now();
  const view = scene.getBoundingClientRect();
  const scale = Math.max(view.width / video.videoWidth, view.height / video.videoHeight);
  const width = video.videoWidth * scale, height = video.videoHeight * scale;
  const left = (view.width - width) / 2, top = (view.height - height) / 2;
  const mirrored = video.classList.contains("mirrored");
  for (const track of tracks) {
    // Where answers and following disagree by a little, go there smoothly.
    for (const side of ["x", "y", "w", "h"]) track.shown = { ...track.shown, [side]: track.shown[side] + (track.box[side] - track.shown[side]) * 0.55 };
    const { shown, element } = track;
    // What of the box is on the screen: a product may be larger than that.
    const from = left + (mirrored ? 1 - shown.x - shown.w : shown.x) * width;
    const x = Math.max(from, RIM), y = Math.max(top + shown.y * height, RIM);
    const boxWidth = Math.max(0, Math.min(from + shown.w * width, view.width - RIM) - x);
    const boxHeight = Math.max(0, Math.min(top + (shown.y + shown.h) * height, view.height - RIM) - y);
    element.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    const [frame, words] = element.children;
    frame.style.width = `${boxWidth.toFixed(1)}px`;
    frame.style.height = `${boxHeight.toFixed(1)}px`;
    const wide = words.offsetWidth, high = words.offsetHeight;
    // Beside the top edge, but always on the screen.
    const wordsX = Math.min(Math.max(x + (boxWidth - wide) / 2, 8), view.width - wide - 8) - x;
    const wordsY = Math.min(Math.max(y - high - 8, 64), view.height - high - 140) - y;
    words.style.transform = `translate(${wordsX.toFixed(1)}px, ${wordsY.toFixed(1)}px)`;
    write(track);
    const alone = now - track.confirmedAt - (track.lost ? 0 : FORGOTTEN_MS) - 2 * answeredIn;
    element.classList.toggle("leaving", alone > 0);
    if (alone > 250) track.over = true;
  }
  if (tracks.some((each) => each.over)) {
    for (const each of tracks.filter((track) => track.over)) each.element.remove();
    tracks = tracks.filter((track) => !track.over);
    draw();
  }
}

const priceOf = (product) => (product.price ? money(product.price.amount, product.price.currency) : t("see.no_price"));

function write(track) {
  const [sku] = leading(track);
  const product = track.products.get(sku);
  const sure = isSure(track);
  const state = `${sku} ${sure}`;
  if (track.written === state) return;
  track.written = state;
  track.element.dataset.sku = sku;
  track.element.classList.toggle("maybe", !sure);
  const [name, price] = track.element.querySelectorAll(".words > *");
  name.textContent = sure ? product.displayName : t("see.maybe", { name: product.displayName });
  price.textContent = priceOf(product);
}

// ---------- what stands below

let said = "";
function draw() {
  const how = find("how"), foot = find("foot");
  how.hidden = foot.hidden = !stream;
  find("aim").hidden = !stream || tracks.length > 0;
  if (!stream) return;
  how.className = `chip on-picture ${trouble ? "bad" : ""}`;
  render(trouble ? trouble : running ? html`<i></i>${t("see.looking")}` : t("see.pause"), how);
  const seen = new Map();
  for (const track of tracks.filter((each) => !each.over)) {
    const [sku] = leading(track);
    const sure = isSure(track);
    if (!seen.has(sku) || sure) seen.set(sku, { product: track.products.get(sku), sure });
  }
  const shown = [...seen.values()].sort((a, b) => Number(b.sure) - Number(a.sure)).slice(0, 3);
  render(
    html`<div class="seen">${shown.length
        ? html`<ul>${repeat(shown, (each) => each.product.sku, ({ product, sure }) => html`<li class=${sure ? "" : "maybe"} data-sku=${product.sku}>
            <img src=${photo(product.sku)} alt="" width="44" height="44">
            <span class="name">${sure ? product.displayName : t("see.maybe", { name: product.displayName })}<small>${product.productCategory}</small></span>
            <span class="amount">${priceOf(product)}</span></li>`)}</ul>`
        : html`<p>${t("see.nothing")}</p>`}</div>
      <div class="tools">
        ${cameras > 1 ? html`<button class="button on-picture" type="button" aria-label=${t("see.other_camera")} title=${t("see.other_camera")} @click=${other}>${icon("turn")}</button>` : nothing}
        <button class="button on-picture" type="button" aria-label=${running ? t("see.pause") : t("see.go_on")} title=${running ? t("see.pause") : t("see.go_on")} @click=${hold}>${icon(running ? "hold" : "go")}</button>
        <button class="button on-picture" type="button" aria-label=${t("see.stop")} title=${t("see.stop")} @click=${close}>${icon("cross")}</button></div>`,
    foot,
  );
  const words = shown.filter((each) => each.sure).map(({ product }) => `${product.displayName}, ${priceOf(product)}`).join("; ");
  if (words !== said) {
    said = words;
    find("told").textContent = words;
  }
}

function other() {
  facing = facing === "environment" ? "user" : "environment";
  open();
}

function hold() {
  running = !running;
  if (running) { video.play(); send(); } else video.pause();
  draw();
  if (running) eachFrame();
}

hello("start");
if (!window.isSecureContext) fail("insecure");
draw();
