//! One task per room: runs commands, performs effects, talks to shards.
