/**
 * Small helpers for building the page's elements.
 *
 * @module
 */

/**
 * The element of that id; the page holds it.
 *
 * @param {string} id
 * @returns {any}
 */
export const byId = (id) => document.getElementById(id);

/**
 * Builds an element.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {Array<Node | string | null>} [children]
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, children = []) {
  const built = Object.assign(document.createElement(tag), properties);
  built.append(...children.filter((child) => child !== null));
  return built;
}

/**
 * A button that runs an act, is off meanwhile, and says why when it fails.
 *
 * @param {string} label
 * @param {() => unknown} act
 * @returns {HTMLElement}
 */
export function actButton(label, act) {
  return element("button", {
    type: "button",
    textContent: label,
    className: "quiet",
    onclick: (/** @type {MouseEvent} */ event) => {
      event.stopPropagation();
      void attempt(act);
    },
  });
}

/**
 * Runs an act and shows its failure to the person.
 *
 * @param {() => unknown} act
 */
export async function attempt(act) {
  try {
    await act();
  } catch (error) {
    flash(error instanceof Error ? error.message : String(error));
  }
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let flashTimer;

/**
 * Shows a line for a few seconds.
 *
 * @param {string} text
 */
export function flash(text) {
  const banner = byId("banner");
  banner.textContent = text;
  banner.hidden = false;
  clearTimeout(flashTimer);
  flashTimer = setTimeout(() => {
    banner.hidden = true;
  }, 5_000);
}

/**
 * One or two letters for an avatar.
 *
 * @param {string} name
 */
export const initials = (name) =>
  name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => word.charAt(0).toUpperCase())
    .join("");

/**
 * A color that stays with a name.
 *
 * @param {string} name
 */
export function colorOf(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return `hsl(${hash % 360} 45% 34%)`;
}
