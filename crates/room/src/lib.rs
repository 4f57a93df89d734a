//! Rooms, roles, stage, hands and mutes: a pure state machine.
