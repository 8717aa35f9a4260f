// What waits for whoever signed in: a provider's products, an operator's queue, what runs by itself.
import { empty, html, icon, look, n, nothing, number, page, t } from "./core.js";
import { STAGES, card, content, keepUp, picture, productPage, stage } from "./portal.js";
import { progress } from "./progress.js";

const { can } = page;
const TELLING = can.approve ? ["waiting", "approved"] : can.hand_in ? ["refused", "collecting", "waiting", "approved"] : ["approved"];

async function read() {
  const waiting = await look("/api/v1/waiting");
  const asked = can.products ? TELLING.filter((each) => waiting.stages[each]) : [];
  const lists = await Promise.all(asked.map((each) => look(`/api/v1/products?stage=${each}&limit=6`)));
  return { waiting, lists: asked.map((each, index) => [each, lists[index].items]) };
}

const tile = (count, words, href, kind = "") => html`<a class="tile ${kind}" href=${href}><strong>${number(count)}</strong><span>${words}</span></a>`;

const tiles = ({ stages, paused_rollouts, failing_devices, running_imports }) => html`<div class="numbers-row">
  ${can.approve ? tile(stages.waiting ?? 0, n("home.to_approve", stages.waiting ?? 0), "/approve", stages.waiting ? "asks" : "") : nothing}
  ${!can.approve && can.hand_in && stages.refused ? tile(stages.refused, n("home.refused", stages.refused), "/products?stage=refused", "wrong") : nothing}
  ${!can.approve && can.hand_in && stages.collecting ? tile(stages.collecting, n("home.collecting", stages.collecting), "/products?stage=collecting", "asks") : nothing}
  ${!can.approve && can.hand_in ? tile(stages.waiting ?? 0, n("home.waiting", stages.waiting ?? 0), "/products?stage=waiting") : nothing}
  ${can.products ? tile(stages.live ?? 0, n("home.live", stages.live ?? 0), "/products?stage=live") : nothing}
  ${can.operate ? tile(failing_devices.length, n("home.failing", failing_devices.length), "/fleet", failing_devices.length ? "wrong" : "") : nothing}
  ${can.operate && paused_rollouts.length ? tile(paused_rollouts.length, n("home.paused", paused_rollouts.length), "/rollouts", "asks") : nothing}
  ${running_imports ? tile(running_imports, n("home.importing", running_imports), "/import") : nothing}
</div>`;

const line = (each) => html`<li><a class="item of-product" href=${can.approve && each.stage === "waiting" ? "/approve" : productPage(each.sku)}>
  ${picture(each.photo_url)}
  <span class="grow"><span class="strong cut">${each.name}</span><span class="soft small cut block">${each.reason || each.sku}</span></span>
  <span class="row wrap chips">${each.most_alike ? html`<span class="chip warn">${icon("compare")}${t("portal.alike")}</span>` : nothing}${stage(each.stage)}</span></a></li>`;

const list = ([name, items]) => (items.length ? html`<section class="card flush"><header><h2>${t(`home.list_${name}`)}</h2><a class="button quiet" href="/products?stage=${name}">${t("home.all")}${icon("next")}</a></header><ul class="list">${items.map(line)}</ul></section>` : nothing);

const nothingYet = () => html`<section class="card">${empty("product", t("home.none"), t("home.none_text"))}
  <div class="row wrap" id="begin">${begin()}</div></section>`;
const begin = () => html`<a class="button primary" href="/products?add">${icon("add")}${t("products.add")}</a><a class="button" href="/import">${icon("import")}${t("home.import")}</a>`;

const home = content("home", read, ({ waiting, lists }) => {
  const known = STAGES.some((each) => waiting.stages[each]);
  return html`<div class="stack">
    ${tiles(waiting)}
    ${can.hand_in && known ? html`<div class="row wrap">${begin()}</div>` : nothing}
    ${can.products && can.hand_in && !known ? nothingYet() : nothing}
    <div class="${waiting.pipeline.length && lists.length ? "columns" : "stack"}">
      ${lists.length ? html`<div class="stack">${lists.map(list)}</div>` : nothing}
      ${waiting.pipeline.length ? card(t("home.pipeline"), html`<div class="apart-all">${waiting.pipeline.map((each) => progress(each, { brief: true }))}</div>`, html`<a class="button quiet" href="/pipeline">${t("home.all")}${icon("next")}</a>`) : nothing}
    </div>
  </div>`;
});
keepUp(home.refresh, 5000);
