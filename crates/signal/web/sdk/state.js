/**
 * Keeps a room's state true by applying its numbered events.
 *
 * Pure: no I/O. `apply` takes the state and one event and changes the state in place, as the server
 * did. Participants in the audience are not listed in the state; their number is.
 *
 * @module
 */

/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./types.js").RoomEvent} RoomEvent */
/** @typedef {import("./types.js").Participant} Participant */
/** @typedef {import("./types.js").MuteState} MuteState */
/** @typedef {import("./types.js").Permits} Permits */

/**
 * Applies one event. Events at or before the state's revision are ignored.
 *
 * @param {RoomState} state
 * @param {RoomEvent} event
 * @param {(id: string) => Participant | undefined} known finds a participant who is not on stage
 * @returns {boolean} whether the state changed
 */
export function apply(state, { number, event }, known) {
  if (number <= state.revision) return false;
  state.revision = number;
  const rule = rules[event.kind];
  rule?.(state, event, known);
  return rule !== undefined;
}

/**
 * @param {RoomState} state
 * @param {string} id
 */
const onStage = (state, id) => state.stage.find((participant) => participant.id === id);

/**
 * @param {RoomState} state
 * @param {string} id
 */
const leaveStage = (state, id) => {
  state.stage = state.stage.filter((participant) => participant.id !== id);
};

/**
 * @param {RoomState} state
 * @param {string} id
 */
const lowerHand = (state, id) => {
  state.hands = state.hands.filter((hand) => hand.participant !== id);
};

/** @type {Record<string, (state: RoomState, event: any, known: (id: string) => Participant | undefined) => void>} */
const rules = {
  participantJoined(state, { participant }) {
    if (participant.stage !== "onStage") return;
    leaveStage(state, participant.id);
    state.stage.push(participant);
  },
  participantLeft(state, { participant }) {
    leaveStage(state, participant);
    lowerHand(state, participant);
    if (state.activeSpeaker === participant) state.activeSpeaker = null;
    if (state.programme?.participant === participant) state.programme = null;
  },
  connectionChanged(state, { participant, connected }) {
    const who = onStage(state, participant);
    if (!who) return;
    who.connected = connected;
    // A seat is held for who lost its connection; `participantJoined` tells of its return.
    if (!connected) who.stage = "held";
  },
  roleChanged(state, { participant, role }) {
    const who = onStage(state, participant);
    if (who) who.role = role;
  },
  stageJoined(state, { participant, role, view }, known) {
    lowerHand(state, participant);
    const who = view ?? onStage(state, participant) ?? known(participant) ?? unknown(participant);
    leaveStage(state, participant);
    state.stage.push({ ...who, role, stage: "onStage" });
  },
  stageLeft(state, { participant }) {
    leaveStage(state, participant);
  },
  muteChanged(state, { participant, muteKind, selfMuted, serverMuted, locked }) {
    const who = onStage(state, participant);
    if (!who) return;
    who[/** @type {"audio" | "video"} */ (muteKind)] = { selfMuted, serverMuted, locked };
    who.permits = permitsOf(who);
  },
  handRaised(state, { participant, order }) {
    lowerHand(state, participant);
    state.hands.push({ participant, order });
    state.hands.sort((a, b) => a.order - b.order);
  },
  handLowered(state, { participant }) {
    lowerHand(state, participant);
  },
  sourceChanged(state, { participant, source, active }) {
    const who = onStage(state, participant);
    if (!who) return;
    who.sources = who.sources.filter((each) => each !== source);
    if (active) who.sources.push(source);
  },
  activeSpeakerChanged(state, { participant }) {
    state.activeSpeaker = participant ?? null;
  },
  programmeChanged(state, { participant, source }) {
    state.programme = participant ? { participant, source } : null;
  },
  spotlightChanged(state, { participants }) {
    state.spotlight = participants;
  },
  roomEnded(state) {
    state.state = "ended";
  },
};

/**
 * What the server takes from somebody on stage: its rule, for events that do not say.
 *
 * @param {Participant} who
 * @returns {Permits}
 */
function permitsOf({ role, audio, video }) {
  /** @param {MuteState} mutes */
  const isOpen = ({ selfMuted, serverMuted, locked }) =>
    role !== "listener" && !selfMuted && !serverMuted && !locked;
  return { microphone: isOpen(audio), camera: isOpen(video), screen: isOpen(video) };
}

/** How many of the audience are remembered. */
export const AUDIENCE_MAX = 500;

/**
 * Remembers somebody in the audience as the latest; beyond {@link AUDIENCE_MAX} the oldest is
 * forgotten.
 *
 * @param {Map<string, Participant>} audience
 * @param {Participant} who
 * @param {string} self our own identity, which is never forgotten
 */
export function remember(audience, who, self) {
  audience.delete(who.id);
  audience.set(who.id, who);
  for (const id of audience.keys()) {
    if (audience.size <= AUDIENCE_MAX) return;
    if (id !== self) audience.delete(id);
  }
}

/**
 * A participant of whom nothing is known but its identity.
 *
 * @param {string} id
 * @returns {Participant}
 */
function unknown(id) {
  const open = { selfMuted: false, serverMuted: false, locked: false };
  return {
    id,
    name: "",
    attributes: {},
    role: "speaker",
    stage: "onStage",
    link: "webSocket",
    connected: true,
    audio: { ...open },
    video: { ...open },
    permits: { microphone: false, camera: false, screen: false },
    sources: [],
    joinedAt: 0,
  };
}
