/**
 * The words of the client protocol, as types. Nothing here runs; `tsc --checkJs` reads it.
 *
 * @module
 */

/** @typedef {"host" | "cohost" | "speaker" | "listener"} Role */
/** @typedef {"microphone" | "camera" | "screen"} SourceKind */
/** @typedef {"audio" | "video"} MuteKind */

/**
 * What the server takes from this participant.
 * @typedef {object} Permits
 * @property {boolean} microphone
 * @property {boolean} camera
 * @property {boolean} screen
 */

/**
 * The mutes of one kind of media.
 * @typedef {object} MuteState
 * @property {boolean} selfMuted
 * @property {boolean} serverMuted
 * @property {boolean} locked
 */

/**
 * @typedef {object} Participant
 * @property {string} id identity, from the token's `sub`
 * @property {string} name display name; may be empty
 * @property {Record<string, string>} attributes
 * @property {Role} role
 * @property {"audience" | "requested" | "invited" | "onStage" | "held"} stage
 * @property {"webSocket" | "whip" | "whep"} link
 * @property {boolean} connected whether its media transport is up
 * @property {MuteState} audio
 * @property {MuteState} video
 * @property {Permits} permits
 * @property {SourceKind[]} sources sources that deliver media now
 * @property {number} joinedAt Unix time in milliseconds
 */

/** @typedef {{ participant: string, order: number }} Hand */

/**
 * A room as it stands after event `revision`.
 * @typedef {object} RoomState
 * @property {string} id
 * @property {"live" | "ended"} state
 * @property {number} revision
 * @property {number} createdAt Unix time in milliseconds
 * @property {number} audienceCount
 * @property {Participant[]} stage in seating order
 * @property {Hand[]} hands in order of raising
 * @property {string | null} activeSpeaker
 * @property {{ participant: string, source: SourceKind } | null} programme
 * @property {string[]} spotlight
 * @property {{ maxStage: number, handPolicy: string, clientModeration: boolean, data: boolean }} settings
 * @property {Record<string, string>} attributes
 */

/**
 * One numbered change of the room.
 * @typedef {object} RoomEvent
 * @property {number} number room-wide, without gap
 * @property {number} at Unix time in milliseconds
 * @property {{ kind: "app" | "participant" | "server", participant?: string }} actor
 * @property {{ kind: string } & Record<string, any>} event
 */

/**
 * What a slot carries.
 * @typedef {object} Slot
 * @property {string} id `audio-0` …, `main`, `second`, `thumbnail-0` …
 * @property {"audio" | "video"} kind
 * @property {MediaStreamTrack} track one track for the life of the connection
 * @property {string | null} participant
 * @property {SourceKind | null} source
 */

/** @typedef {{ participant: string, volume: number }} Speaking */

/**
 * @typedef {object} ConnectOptions
 * @property {string} token the join token, minted by the app
 * @property {string} [url] the server's origin; by default the page's own
 * @property {number} [thumbnails] how many thumbnail slots to ask for, 0 to 8; by default 0
 * @property {"VP8" | "H264"} [videoCodec] codec to prefer for sending; by default the browser's choice
 * @property {boolean} [reconnect] whether to come back after a lost connection; by default true
 */

export {};
