// Many products at once: a table and folders of photos, sent file by file; what is here already is not
// sent again, so a page that was closed goes on where it was.
import { ask, complain, dateTime, empty, html, icon, look, n, nothing, number, page, repeat, t, toast } from "./core.js";
import { Sending, dropField, isPhoto } from "./photos.js";
import { card, content, keepUp, withValues } from "./portal.js";

const AT_A_TIME = 40; // files of a folder that are held in memory as pictures
const TABLE = /\.csv$/i;
let current = null; // the import that files go to
let left = []; // files that wait for their turn
let stopped = false;

const imports = content("import", () => look("/api/v1/imports"), draw);
const sending = new Sending(send, () => { refill(); imports.show(); });

async function send(item) {
  await ask("POST", withValues(`/api/v1/imports/${encodeURIComponent(current)}/photos`, { path: item.path }), undefined, { body: item.file, headers: { "Content-Type": item.file.type || "application/octet-stream" } });
}

function refill() {
  const room = AT_A_TIME - sending.waiting.length;
  if (room > 0 && left.length) sending.add(left.splice(0, room));
  else if (!left.length && !sending.waiting.length && current && !stopped) finish();
}

async function finish() {
  stopped = true;
  try {
    await ask("POST", `/api/v1/imports/${encodeURIComponent(current)}/end`, {});
  } catch (error) {
    complain(error);
  }
  current = null;
  imports.refresh();
}

/** A table and the photos of its folders, or more photos for an import that was left. */
async function take(files) {
  const [table] = files.filter((each) => TABLE.test(each.path));
  const photos = files.filter(isPhoto);
  const open = imports.value?.find((each) => each.status === "running" && each.by === page.me.name);
  try {
    // The same table again goes on with what was begun: a page that was closed, a line that broke.
    if (table && open?.name !== table.file.name) {
      const begun = await ask("POST", withValues("/api/v1/imports", { name: table.file.name }), undefined, { body: table.file, headers: { "Content-Type": "text/csv" } });
      current = begun.import_id;
    } else if (open) current = open.import_id;
    else return complain(new Error(t("import.no_table")));
    const here = new Set(await look(`/api/v1/imports/${encodeURIComponent(current)}/photos`));
    left = photos.filter((each) => !here.has(each.path));
    if (left.length < photos.length) toast(n("import.skipped", photos.length - left.length));
    stopped = false;
    refill();
    imports.refresh();
  } catch (error) {
    complain(error);
  }
}

// ---------- how it looks

const under = () => {
  const waiting = left.length + sending.waiting.length;
  if (!current && !waiting) return nothing;
  const failed = sending.waiting.filter((each) => each.state === "failed");
  return html`<section class="card stack" aria-live="polite"><header class="row apart wrap"><h2>${t("import.sending")}</h2><span class="soft small number">${n("import.left", waiting)}</span></header>
    ${failed.length ? html`<p class="banner bad">${icon("alert")}<span>${failed[0].path}: ${failed[0].error.message}</span></p><div class="row wrap"><button class="button" type="button" @click=${() => failed.forEach((each) => sending.again(each))}>${t("common.again")}</button><button class="button quiet" type="button" @click=${() => failed.forEach((each) => sending.forget(each))}>${t("portal.leave_out")}</button></div>` : nothing}</section>`;
};

const STATES = { running: ["accent", "wait"], done: ["good", "check"], stopped: ["warn", "alert"] };
const one = (each) => {
  const [kind, sign] = STATES[each.status];
  const seen = each.lines_done + each.lines_failed;
  return html`<li class="stack pad"><header class="row apart wrap"><div><span class="strong">${each.name}</span> <time class="soft small">${dateTime(each.began_at)}</time></div><span class="chip ${kind}">${icon(sign)}${t(`import.is_${each.status}`)}</span></header>
    <progress class="bar ${each.lines_failed ? "warn" : ""}" max=${Math.max(1, each.lines)} value=${seen} aria-label=${t("import.progress")}></progress>
    <p class="counted small"><span><strong>${number(each.lines_done)}</strong> ${t("import.lines_done", { all: number(each.lines) })}</span><span><strong>${number(each.files_good)}</strong> ${t("import.files_good", { all: number(each.files) })}</span><span><strong>${number(each.handed_in)}</strong> ${t("import.handed_in")}</span>${each.lines_failed ? html`<span class="strong">${n("import.lines_failed", each.lines_failed)}</span>` : nothing}</p>
    ${each.problems.length ? html`<details class="more-of"><summary>${n("import.problems", each.problems.length)}</summary><ul class="small break">${each.problems.map((problem) => html`<li lang="en">${problem}</li>`)}</ul></details>` : nothing}</li>`;
};

const how = () => card(t("import.how"), html`<ol class="stack small">
  <li><span class="strong">${t("import.how_table")}</span><pre>sku,name,price,currency,category
oat-milk,Oat milk 1 l,1.99,EUR,drinks</pre></li>
  <li><span class="strong">${t("import.how_photos")}</span><pre>products.csv
oat-milk/front.jpg
oat-milk/side.jpg</pre></li>
  <li>${t("import.how_resume")}</li></ol>`);

function draw(all) {
  return html`<div class="columns"><div class="stack">
    ${page.can.hand_in ? html`<section class="card">${dropField(take, { title: t("import.drop"), text: t("import.drop_text"), accept: ".csv,image/*", choose: t("import.choose") })}</section>` : nothing}
    ${under()}
    <section class="card flush"><header><h2>${t("import.before")}</h2></header>${all.length ? html`<ul class="list">${repeat(all, (each) => each.import_id, one)}</ul>` : empty("import", t("import.none"))}</section></div>
    <div class="stack">${how()}</div></div>`;
}

keepUp(imports.refresh, 2000);
addEventListener("beforeunload", (event) => { if (left.length || sending.underWay) event.preventDefault(); });
