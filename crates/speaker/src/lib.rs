//! Who is speaking (detector), whose picture is on (director).
