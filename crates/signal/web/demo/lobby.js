/**
 * The lobby: a name, a room, a role, and the token that lets one in.
 *
 * An invite link carries a ready token behind `#token=`. Without one, a development server mints
 * tokens at `/dev/token`; on any other server the app behind it does, and this form cannot.
 *
 * @module
 */

import { byId } from "./dom.js";

/**
 * Reads a token's claims, to show them; the server is who checks them.
 *
 * @param {string} token
 * @returns {Record<string, any>}
 */
export function claimsOf(token) {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

/**
 * Asks the development server for a token.
 *
 * @param {{ room: string, identity: string, role: string, name: string }} request
 * @returns {Promise<string>}
 */
export async function developmentToken(request) {
  const response = await fetch("/dev/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  if (response.ok) return (await response.json()).token;
  if (response.status === 404) {
    throw new Error("This server does not hand out tokens: open the link that your app gave you.");
  }
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? "The server refused to make a token.");
}

/**
 * An identity that two people of the same name do not share.
 *
 * @param {string} name
 */
export function identityFor(name) {
  const slug = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "") || "guest";
  const suffix = crypto.getRandomValues(new Uint16Array(1))[0]?.toString(36) ?? "";
  return `${slug}-${suffix}`;
}

/** The token in the page's address, if there is one. */
export const invitedToken = () => new URLSearchParams(location.hash.slice(1)).get("token");

/**
 * Runs the lobby; `enter` is called with a token and resolves once inside.
 *
 * @param {(token: string) => Promise<void>} enter
 */
export function openLobby(enter) {
  const form = byId("join");
  const error = byId("lobby-error");
  const token = invitedToken();
  if (token) {
    const { room, role, name, sub } = claimsOf(token);
    byId("identity-fields").hidden = true;
    byId("identity-fields").querySelectorAll("input").forEach((/** @type {HTMLInputElement} */ input) => {
      input.disabled = true;
    });
    byId("invited").hidden = false;
    byId("invited").textContent = `You are invited to “${room}” as ${role}: ${name || sub}.`;
  }
  form.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    error.hidden = true;
    try {
      await enter(token ?? (await tokenFromForm(new FormData(form))));
    } catch (problem) {
      error.textContent = problem instanceof Error ? problem.message : String(problem);
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

/** @param {FormData} form */
function tokenFromForm(form) {
  const name = String(form.get("name")).trim();
  return developmentToken({
    room: String(form.get("room")),
    role: String(form.get("role")),
    name,
    identity: identityFor(name),
  });
}
