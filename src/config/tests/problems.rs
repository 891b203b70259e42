//! Configs that mean nothing, and what is said of them.
use super::problems;
