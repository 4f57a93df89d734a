//! Virtual time, lossy links and scripted endpoints for tests.
