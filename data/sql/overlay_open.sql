-- A snapshot beneath a database in memory, where what follows from the MRD rule is derived anew.
ATTACH {path} AS snapshot (READ_ONLY);
CREATE VIEW studies AS FROM snapshot.studies;
CREATE VIEW timepoints AS FROM snapshot.timepoints;
CREATE VIEW own_variables AS FROM snapshot.own_variables;
CREATE VIEW patients AS FROM snapshot.patients;
CREATE VIEW treatments AS FROM snapshot.treatments;
CREATE VIEW outcomes AS FROM snapshot.outcomes;
CREATE VIEW import_problems AS FROM snapshot.import_problems;
CREATE VIEW course AS FROM snapshot.course;
CREATE VIEW time_to_event AS FROM snapshot.time_to_event;
CREATE VIEW endpoints AS FROM snapshot.endpoints;
