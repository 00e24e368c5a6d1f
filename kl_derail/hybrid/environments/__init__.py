"""Where data come from: environments that know their own values, and gymnasium's."""
