// What a shop costs, beside cashiers and self-checkout: figures that can be changed, what dominates,
// and where one way becomes cheaper than another.
import { ask, complain, html, icon, money, nothing, number, percent, repeat, svg, t } from "./core.js";
import { tornado } from "./charts.js";
import { card, content } from "./portal.js";

const KEPT = "cost";
// Parts of a year, in the order of the bars; small ones stand in one colour.
const COLOURS = { people: "p0", missed_pieces: "p4", losses: "p4", wrong_charges: "p6", review: "p2", devices: "p1" };
let given = kept(); // {"section.name": value}
let against = "walkout";
let asking = 0;
let opened = new Set(["shop"]);

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

/** Figures by section, as the server takes them. */
function nested() {
  const found = {};
  for (const [path, value] of Object.entries(given)) {
    const [section, name] = path.split(".");
    (found[section] ??= {})[name] = value;
  }
  return found;
}

const cost = content("cost", () => ask("POST", "/api/v1/cost", nested()), draw);

async function change(figure, text) {
  const value = Number(text);
  if (text === "" || value === figure.default) delete given[figure.path];
  else given[figure.path] = value;
  try {
    localStorage.setItem(KEPT, JSON.stringify(given));
  } catch {
    // Storage is switched off: figures last as long as the page.
  }
  const turn = ++asking;
  try {
    const answer = await ask("POST", "/api/v1/cost", nested());
    if (turn === asking) cost.value = answer;
  } catch (error) {
    delete given[figure.path];
    complain(error);
    cost.refresh();
  }
}

function reset() {
  given = {};
  try {
    localStorage.removeItem(KEPT);
  } catch {
    // As above.
  }
  cost.refresh();
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(nested(), null, 2)}\n`], { type: "application/json" }));
  link.download = "walkout-cost.yaml";
  link.click();
  URL.revokeObjectURL(link.href);
}

// ---------- how it looks

const named = (path) => t(`figures.${path.replace(".", "_")}`);
const partName = (name) => t(`cost.part_${name}`);
const wayName = (name) => t(`cost.way_${name}`);

/** A figure in its unit. */
function said(figure, value, currency) {
  if (figure.unit === "share") return percent(value, value < 0.1 ? 1 : 0);
  if (figure.unit === "money") return money(value, currency);
  return number(value, value < 10 && !Number.isInteger(value) ? 2 : 0);
}

/** A share with one digit, so that shares line up. */
const share = (value) => new Intl.NumberFormat(document.documentElement.lang, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(value);
const about = (value, currency) => new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, currencyDisplay: "narrowSymbol", notation: "compact", maximumSignificantDigits: 3 }).format(value);
const whole = (value, currency) => new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency, currencyDisplay: "narrowSymbol", maximumFractionDigits: 0 }).format(value);

const way = (each, told) => {
  const saved = told.savings[each.name];
  return html`<section class="card cost-way ${each.name === "walkout" ? "own" : ""}" aria-label=${wayName(each.name)}><h2>${wayName(each.name)}</h2>
    <p class="sum amount">${whole(each.per_year, told.currency)}</p><p class="soft">${t("cost.a_year")}</p>
    <p><span class="amount strong">${money(each.per_checkout, told.currency)}</span> ${t("cost.a_checkout")} · <span class="number">${share(each.share_of_turnover)}</span> <span class="soft">${t("cost.of_turnover")}</span></p>
    ${saved === undefined ? nothing : html`<p class=${saved > 0 ? "chip good" : "chip bad"}>${t(saved > 0 ? "cost.saves" : "cost.costs_more", { amount: whole(Math.abs(saved), told.currency) })}</p>`}</section>`;
};

const bars = (told) => {
  const most = Math.max(...told.ways.map((each) => each.per_year)) || 1;
  const used = [...new Set(told.ways.flatMap((each) => Object.keys(each.parts)).map((name) => COLOURS[name] ?? "p7"))];
  const word = { p0: "people", p1: "devices", p2: "review", p4: "losses", p6: "wrong_charges", p7: "rest" };
  return card(t("cost.where"), html`<div class="stack"><ul class="stacked">${told.ways.map((each) => {
    const sums = new Map();
    for (const [name, amount] of Object.entries(each.parts)) sums.set(COLOURS[name] ?? "p7", (sums.get(COLOURS[name] ?? "p7") ?? 0) + amount);
    const drawn = ["p0", "p4", "p6", "p2", "p1", "p7"].filter((kind) => sums.has(kind)).map((kind) => [kind, sums.get(kind)]);
    return html`<li><span>${wayName(each.name)}</span><span class="bar-of">${stacked(drawn, most)}</span><span class="amount strong">${whole(each.per_year, told.currency)}</span></li>`;
  })}</ul><p class="row wrap small">${["p0", "p4", "p6", "p2", "p1", "p7"].filter((kind) => used.includes(kind)).map((kind) => html`<span class="key ${kind}">${partName(word[kind])}</span>`)}</p>
  <details class="more-of"><summary>${t("cost.table")}</summary>${table(told)}</details></div>`);
};

function stacked(drawn, most) {
  let from = 0;
  return html`<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${drawn.map(([kind, amount]) => {
    const x = from;
    const wide = (amount / most) * 100;
    from += wide;
    return svg`<rect class=${kind} x=${x} y="0" width=${wide} height="10" />`;
  })}</svg>`;
}

const table = (told) => {
  const names = [...new Set(told.ways.flatMap((each) => Object.keys(each.parts)))];
  return html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("cost.table")}><table class="cost-table"><thead><tr><td></td>${told.ways.map((each) => html`<th scope="col" class="end">${wayName(each.name)}</th>`)}</tr></thead><tbody>
    ${names.map((name) => html`<tr><th scope="row">${partName(name)}</th>${told.ways.map((each) => html`<td class="end amount">${name in each.parts ? money(each.parts[name], told.currency) : ""}</td>`)}</tr>`)}
    <tr class="sum"><th scope="row">${t("cost.together")}</th>${told.ways.map((each) => html`<td class="end amount">${money(each.per_year, told.currency)}</td>`)}</tr></tbody></table></div>`;
};

const dominating = (told) => {
  const base = against === "walkout" ? told.ways[0].per_year : told.savings[against];
  const byPath = new Map(told.figures.map((each) => [each.path, each]));
  const swings = told.swings[against].slice(0, 10).map((each) => ({ ...each, label: named(each.path), low: said(byPath.get(each.path), each.low, told.currency), high: said(byPath.get(each.path), each.high, told.currency) }));
  return card(t("cost.dominates"), html`<div class="stack"><div class="choice" role="group" aria-label=${t("cost.of_what")}>${["walkout", "cashiers", "self_checkout"].map((name) => html`<button type="button" aria-pressed=${against === name ? "true" : "false"} @click=${() => { against = name; cost.show(); }}>${t(name === "walkout" ? "cost.the_cost" : `cost.saved_${name}`)}</button>`)}</div>
    ${tornado(t("cost.dominates"), swings, base, (value) => about(value, told.currency))}<p class="soft small">${t("cost.dominates_text")}</p></div>`);
};

const turning = (told) => {
  const byPath = new Map(told.figures.map((each) => [each.path, each]));
  const paths = [...new Set(told.turns.map((each) => each.path))];
  const cell = (path, other) => {
    const turn = told.turns.find((each) => each.path === path && each.against === other);
    if (turn.at === null) return t(`cost.turn_${turn.cheaper}`);
    return t(`cost.turn_${turn.cheaper}`, { value: said(byPath.get(path), turn.at, told.currency) });
  };
  return card(t("cost.turns"), html`<div class="table-wrap" tabindex="0" role="region" aria-label=${t("cost.turns")}><table class="cost-table"><thead><tr><td></td><th scope="col" class="end">${t("cost.now")}</th><th scope="col" class="end">${t("cost.than_cashiers")}</th><th scope="col" class="end">${t("cost.than_self_checkout")}</th></tr></thead><tbody>
    ${paths.map((path) => html`<tr><th scope="row">${named(path)}</th><td class="end number">${said(byPath.get(path), byPath.get(path).value, told.currency)}</td><td class="end number">${cell(path, "cashiers")}</td><td class="end number">${cell(path, "self_checkout")}</td></tr>`)}</tbody></table></div>`);
};

const changing = (told) => card(t("cost.one_change"), html`<p><span class="sum amount strong">${money(told.product_change_total, told.currency)}</span> <span class="soft">${t("cost.one_change_text")}</span></p><dl class="facts small">${Object.entries(told.product_change).map(([name, amount]) => html`<dt>${partName(name)}</dt><dd class="amount">${new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: told.currency, currencyDisplay: "narrowSymbol", maximumFractionDigits: 4 }).format(amount)}</dd>`)}</dl>`);

const assume = (each) => {
  const edited = each.path in given;
  const id = `f-${each.path.replace(".", "-")}`;
  return html`<div class="assume ${edited ? "edited" : ""}"><label for=${id}>${named(each.path)} <span class="soft small">${t(`units.${each.unit.replace("/", "_per_")}`)}</span></label>
    <input id=${id} type="number" step="any" min=${each.least} max=${each.most} .value=${String(Number(each.value.toPrecision(8)))} @change=${(event) => change(each, event.target.value)}>
    <p class="source"><span class="kind ${edited ? "edited" : each.kind}">${edited ? t("cost.yours") : t(`cost.kind_${each.kind}`)}</span> <span lang="en">${edited ? t("cost.default", { value: number(each.default, each.default < 10 && !Number.isInteger(each.default) ? 3 : 0) }) : `${each.source === "assumption" ? "" : each.source.replace(/^assumption; /, "")}${each.as_of ? `, ${each.as_of}` : ""}`}</span></p></div>`;
};

const assumptions = (told) => {
  const sections = [...new Set(told.figures.map((each) => each.path.split(".")[0]))];
  const edited = Object.keys(given).length;
  return html`<section class="card assumptions"><header><h2>${t("cost.figures")}</h2>${edited ? html`<button class="button quiet" type="button" @click=${reset}>${icon("undo")}${t("cost.reset")}</button>` : nothing}<button class="button quiet" type="button" @click=${save}>${icon("download")}${t("cost.save")}</button></header>
    <p class="soft small">${t("cost.figures_text")}</p>
    <div>${repeat(sections, (name) => name, (name) => {
      const some = told.figures.filter((each) => each.path.startsWith(`${name}.`));
      const mine = some.filter((each) => each.path in given).length;
      return html`<details ?open=${opened.has(name)} @toggle=${(event) => { if (event.target.open) opened.add(name); else opened.delete(name); }}><summary>${t(`cost.section_${name}`)}${mine ? html`<span class="count">${mine}</span>` : nothing}</summary>${repeat(some, (each) => each.path, assume)}</details>`;
    })}</div></section>`;
};

function draw(told) {
  return html`<div class="cost-page"><div class="stack"><div class="ways">${told.ways.map((each) => way(each, told))}</div>${bars(told)}${dominating(told)}${turning(told)}${changing(told)}</div>${assumptions(told)}</div>`;
}
cost.refresh();
