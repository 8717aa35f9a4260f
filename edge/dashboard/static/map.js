// The shop from above: floor, zones, fixtures, and whoever is inside, in shop metres.
// Positions come a few times a second; between them CSS lets people glide.
import { colour, nothing, render, sign, svg, t } from "./core.js";

const SHORT_TRAIL = 14; // positions

const round = (value) => Math.round(value * 1000) / 1000;

export class FloorMap {
  #people = new Map(); // track -> {group, trail, spots}
  #seen = null; // newest event that was shown
  #fixtures = new Map(); // name -> middle
  #facings = new Map();

  /**
   * @param {SVGSVGElement} root where it is drawn
   * @param {object} plan outline, zones, fixtures and cameras in shop metres
   * @param {(session: string|null) => void} select told of whom somebody points at
   */
  constructor(root, plan, select) {
    this.root = root;
    this.plan = plan;
    this.select = select;
    const points = [...plan.outline, ...plan.fixtures.flatMap((each) => each.polygon)];
    const xs = points.map(([x]) => x);
    const ys = points.map(([, y]) => y);
    const room = 0.2;
    this.left = Math.min(...xs) - room;
    this.top = Math.max(...ys) + room;
    this.wide = Math.max(...xs) + room - this.left;
    this.high = this.top - Math.min(...ys) + room;
    root.setAttribute("viewBox", `0 0 ${round(this.wide)} ${round(this.high)}`);
    this.#draw();
    new ResizeObserver(() => this.#scale()).observe(root);
    this.#scale();
  }

  #place([x, y]) {
    return [round(x - this.left), round(this.top - y)];
  }

  #points(polygon) {
    return polygon.map((point) => this.#place(point).join(",")).join(" ");
  }

  #middle(polygon) {
    const places = polygon.map((point) => this.#place(point));
    return [0, 1].map((axis) => round(places.reduce((sum, place) => sum + place[axis], 0) / places.length));
  }

  /** A short cone towards where a camera looks. */
  #view({ at_m, looks_at_m }) {
    if (!looks_at_m) return nothing;
    const towards = Math.atan2(looks_at_m[1] - at_m[1], looks_at_m[0] - at_m[0]);
    const corners = [-0.5, 0.5].map((turn) => [at_m[0] + 0.34 * Math.cos(towards + turn), at_m[1] + 0.34 * Math.sin(towards + turn)]);
    return svg`<polygon class="map-view" points=${this.#points([at_m, ...corners])} />`;
  }

  /** Letters and people keep their size on the screen, however large the shop is drawn. */
  #scale() {
    const width = this.root.getBoundingClientRect().width || 600;
    const height = this.root.getBoundingClientRect().height || 400;
    const metre = Math.min(width / this.wide, height / this.high);
    this.root.setAttribute("font-size", round(12 / metre));
    this.px = 1 / metre;
    for (const each of this.#people.values()) this.#size(each);
  }

  #draw() {
    const { outline, zones, fixtures, cameras } = this.plan;
    for (const fixture of fixtures) {
      this.#fixtures.set(fixture.name, this.#middle(fixture.polygon));
      for (const facing of fixture.facings) this.#facings.set(facing.name, this.#place(facing.at_m));
    }
    render(
      svg`
        <polygon class="map-floor" points=${this.#points(outline)} />
        ${zones.map((zone) => {
          const [x, y] = this.#middle(zone.polygon);
          return svg`<polygon class="map-zone ${zone.kind}" points=${this.#points(zone.polygon)} />
            <text class="map-name zone" x=${x} y=${y} dy=".35em">${zone.name}</text>`;
        })}
        ${fixtures.map((fixture) => {
          const [x, y] = this.#fixtures.get(fixture.name);
          const [[x1, y1], [x2, y2]] = fixture.polygon.slice(0, 2).map((point) => this.#place(point));
          const turned = Math.abs(y2 - y1) > Math.abs(x2 - x1) ? `rotate(-90 ${x} ${y})` : "";
          return svg`<polygon class="map-fixture" points=${this.#points(fixture.polygon)} />
            <line class="map-front" x1=${x1} y1=${y1} x2=${x2} y2=${y2} />
            <text class="map-name" x=${x} y=${y} dy=".35em" transform=${turned}>${fixture.name}</text>`;
        })}
        ${cameras.map((camera) => {
          const [x, y] = this.#place(camera.at_m);
          return svg`<g><title>${camera.name}</title>${this.#view(camera)}<circle class="map-camera" cx=${x} cy=${y} r=".045" /></g>`;
        })}
        <g class="map-trails"></g><g class="map-ripples"></g><g class="map-people"></g>`,
      this.root,
    );
    this.trails = this.root.querySelector(".map-trails");
    this.ripples = this.root.querySelector(".map-ripples");
    this.people = this.root.querySelector(".map-people");
  }

  /** Show a state; ``selected`` is the session that stands out. */
  show(state, selected) {
    const here = new Set();
    for (const each of state.shoppers) {
      here.add(each.track);
      if (!this.#people.has(each.track)) this.#people.set(each.track, this.#enter(each));
      this.#move(this.#people.get(each.track), each, selected);
    }
    for (const [track, each] of this.#people) {
      if (!here.has(track)) {
        each.group.remove();
        each.trail.remove();
        this.#people.delete(track);
      }
    }
    this.#ripple(state.events);
  }

  #enter(each) {
    const space = "http://www.w3.org/2000/svg";
    const group = document.createElementNS(space, "g");
    const trail = document.createElementNS(space, "polyline");
    const choose = () => this.select(group.dataset.session || null);
    group.addEventListener("pointerenter", choose);
    group.addEventListener("pointerleave", () => this.select(null));
    group.addEventListener("click", choose);
    this.people.append(group);
    this.trails.append(trail);
    return { group, trail, spots: [], label: null, staff: each.role === "staff" };
  }

  #size(person) {
    person.group.querySelector(".map-body")?.setAttribute("transform", `scale(${round(this.px)})`);
    person.trail.setAttribute("stroke-width", round(4 * this.px));
  }

  #move(person, each, selected) {
    const [x, y] = this.#place(each.at_m);
    const look = each.session ? colour(each.session) : "nobody";
    const label = each.shopper ?? t("live.not_checked_in");
    const state = each.state === "hidden" ? " faint" : "";
    const chosen = selected && each.session === selected ? " chosen" : "";
    person.group.setAttribute("class", `person ${look}${state}${chosen}`);
    person.group.dataset.session = each.session ?? "";
    person.group.style.transform = `translate(${x}px, ${y}px)`;
    if (person.label !== label) {
      person.label = label;
      const staff = each.role === "staff";
      render(
        svg`<title>${label}</title><g class="map-body">
          ${staff ? svg`<rect class="body" x="-14" y="-14" width="28" height="28" rx="7" />` : svg`<circle class="body" r="15" />`}
          <text dy=".36em">${staff ? "★" : sign(each.shopper)}</text></g>`,
        person.group,
      );
      this.#size(person);
    }
    const last = person.spots.at(-1);
    if (!last || last[0] !== x || last[1] !== y) person.spots = [...person.spots, [x, y]].slice(-SHORT_TRAIL);
    person.trail.setAttribute("class", `trail ${look}`);
    person.trail.setAttribute("points", person.spots.map((spot) => spot.join(",")).join(" "));
  }

  /** Something was just taken or put back: a ring at its fixture. */
  #ripple(events) {
    const newest = events[0]?.event_id ?? null;
    if (this.#seen !== null && newest !== null && newest !== this.#seen) {
      const until = events.findIndex((each) => each.event_id === this.#seen);
      for (const each of events.slice(0, until < 0 ? 1 : until)) this.#ring(each);
    }
    this.#seen = newest ?? "";
  }

  #ring(event) {
    const middle = this.#facings.get(event.facing) ?? this.#fixtures.get(event.fixture);
    if (!middle) return;
    const ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    ring.setAttribute("class", `ripple ${event.result}`);
    ring.setAttribute("cx", middle[0]);
    ring.setAttribute("cy", middle[1]);
    ring.setAttribute("r", round(26 * this.px));
    ring.addEventListener("animationend", () => ring.remove());
    this.ripples.append(ring);
  }
}
