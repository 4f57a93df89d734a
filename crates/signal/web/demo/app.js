/**
 * The demo page: lobby, then room.
 *
 * @module
 */

import { connect } from "/sdk/estrade.js";
import { Controls } from "./controls.js";
import { byId } from "./dom.js";
import { openLobby } from "./lobby.js";
import { StageView } from "./stage.js";

/** Why the room is over, in words. @type {Record<string, string>} */
const REASONS = {
  left: "You left the room.",
  removed: "You were removed from the room.",
  room_ended: "The room has ended.",
  replaced: "You joined from another tab or device.",
  server_shutdown: "The server is restarting.",
  disconnected: "The connection was lost and could not be restored.",
};

/** @param {string} token */
async function enter(token) {
  // `?codec=H264` prefers a codec for what we send.
  const codec = new URLSearchParams(location.search).get("codec");
  const videoCodec = codec === "H264" || codec === "VP8" ? codec : undefined;
  const room = await connect({ token, thumbnails: 4, videoCodec });
  // For people at the console, and for tests: the page is a demo of the SDK.
  Object.assign(window, { room });
  byId("lobby").hidden = true;
  byId("room").hidden = false;
  const view = new StageView(room);
  new Controls(room, view, token);
  room.addEventListener("connection", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    byId("connection").hidden = detail === "connected";
    byId("connection").textContent = `${detail}…`;
  });
  room.addEventListener("closed", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    byId("room").hidden = true;
    byId("lobby").hidden = false;
    byId("lobby-error").textContent = REASONS[detail] ?? `The room is over: ${detail}.`;
    byId("lobby-error").hidden = false;
  });
}

openLobby(enter);
