//! WHIP, WHEP, the client WebSocket, the client SDK and the demo page.
