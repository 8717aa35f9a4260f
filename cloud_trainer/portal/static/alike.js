// Products that look alike, photos beside each other, and what it costs to tell them apart.
import { html, icon, n, nothing, number, percent, t } from "./core.js";
import { parts, productPage } from "./portal.js";
import { sideBySide } from "./photos.js";

const cost = (each, name) => {
  const rest = each.photos - each.accepted - each.review - each.wrong;
  const counted = [["right", each.accepted], ["doubt", each.review], ["mistaken", each.wrong], ["away", rest]];
  return html`<div><p class="small"><span class="strong">${name}</span> <span class="soft">${n("portal.of_photos", each.photos)}</span></p>${parts(counted)}
    <p class="row wrap small">${counted.filter(([, count]) => count).map(([kind, count]) => html`<span class="key ${kind}">${t(`portal.cost_${kind}`)} <span class="number strong">${percent(count / (each.photos || 1))}</span></span>`)}</p>
    ${each.accepted_alone > each.accepted ? html`<p class="soft small">${t("portal.cost_alone", { share: percent(each.accepted_alone / (each.photos || 1)) })}</p>` : nothing}</div>`;
};

export const alike = (each, product) => html`<section class="alike" aria-label=${t("portal.alike_to", { name: each.likeness.name })}>
  <header class="row apart wrap"><h3><a href=${productPage(each.likeness.sku)}>${each.likeness.name}</a></h3>
    <span class="row wrap"><span class="soft small number">${t("portal.distance", { distance: number(each.likeness.distance, 2) })}</span>
      ${each.likeness.is_confusing ? html`<span class="chip warn">${icon("alert")}${t("portal.confusing")}</span>` : html`<span class="chip">${t("portal.distinct")}</span>`}</span></header>
  <div class="pairs" tabindex="0" role="group" aria-label=${t("portal.pairs", { one: product.name, other: each.likeness.name })}>${each.photo_urls.slice(0, 6).map((url, index) => sideBySide(each.own_photo_urls[index] ?? each.own_photo_urls[0] ?? product.photo_url, product.name, url, each.likeness.name))}</div>
  ${each.cost || each.other_cost ? html`<div class="costs">${each.cost ? cost(each.cost, product.name) : nothing}${each.other_cost ? cost(each.other_cost, each.likeness.name) : nothing}</div>` : nothing}
  ${each.advice ? html`<p class="small" lang="en">${each.advice}</p>` : nothing}
</section>`;
