"""The benchmark behind `treeviz bench`: what to measure, how, and the tables, files and page that come of it."""
