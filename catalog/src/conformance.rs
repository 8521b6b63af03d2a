//! What every [`MetaStore`] must do. Run on each implementation, and on the models of those, so that none drifts.
//!
//! A failed promise is a panic with the promise in it: this module is for tests.
