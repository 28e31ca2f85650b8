-- The raw tables of one study, as data-model in docs/ describes them. Times are whole days from the
-- patient's day 0. A study's own patient columns are added to `patients` at import. The import has checked the
-- keys before anything is written: constraints on the large tables would double the file.

-- One row: the study.
CREATE TABLE studies (
    study_id VARCHAR PRIMARY KEY, title VARCHAR NOT NULL, citation VARCHAR, doi VARCHAR,
    day_zero_label VARCHAR NOT NULL, default_endpoint VARCHAR NOT NULL, synthetic BOOLEAN NOT NULL,
    data_cutoff VARCHAR, notes VARCHAR
);

-- One row per MRD timepoint: a label, and the window in which a sample belongs to it.
CREATE TABLE timepoints (
    position INTEGER PRIMARY KEY, label VARCHAR UNIQUE NOT NULL, variable VARCHAR UNIQUE NOT NULL,
    target_day INTEGER NOT NULL, first_day INTEGER NOT NULL, last_day INTEGER NOT NULL
);

-- One row per variable that only this study has.
CREATE TABLE own_variables (name VARCHAR PRIMARY KEY, label VARCHAR NOT NULL, kind VARCHAR NOT NULL);

-- One row per patient.
CREATE TABLE patients (
    patient_id VARCHAR NOT NULL, age_years DOUBLE, sex VARCHAR, wbc_10e9_per_l DOUBLE,
    lineage VARCHAR, ph_status VARCHAR, cytogenetics VARCHAR, kmt2a_rearranged BOOLEAN,
    hypodiploid BOOLEAN, complex_karyotype BOOLEAN, ph_like BOOLEAN, ph_like_class VARCHAR,
    tp53_mutated BOOLEAN, ikzf1_plus BOOLEAN, risk_group VARCHAR, frontline_therapy VARCHAR,
    tki VARCHAR, disease_status VARCHAR, prior_inotuzumab BOOLEAN, ecog VARCHAR,
    trackable_locus VARCHAR, extramedullary BOOLEAN
);

-- One row per sample.
CREATE TABLE mrd_assessments (
    patient_id VARCHAR NOT NULL, day INTEGER, timepoint VARCHAR, assay VARCHAR,
    material VARCHAR, target VARCHAR, mrd_fraction DOUBLE, lod_fraction DOUBLE, call VARCHAR
);

-- One row per course of treatment.
CREATE TABLE treatments (
    patient_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, name VARCHAR,
    start_day INTEGER, end_day INTEGER, cycle INTEGER
);

-- One row per patient. The three booleans say that something happened even where its day is missing.
CREATE TABLE outcomes (
    patient_id VARCHAR NOT NULL, cr_day INTEGER, relapse_day INTEGER,
    relapse_site VARCHAR, death_day INTEGER, death_cause VARCHAR, last_follow_up_day INTEGER,
    cr_achieved BOOLEAN, relapsed BOOLEAN, died BOOLEAN
);

-- One row per patient and endpoint that the study itself brings. origin_day is NULL where it is not said.
CREATE TABLE given_endpoints (
    patient_id VARCHAR NOT NULL, endpoint VARCHAR NOT NULL, origin_day INTEGER,
    time_days INTEGER, event_code INTEGER, event_description VARCHAR
);

-- One row per finding of the import. Values are left out: they can be dates or names.
CREATE TABLE import_problems (
    severity VARCHAR, file VARCHAR, row INTEGER, "column" VARCHAR, problem VARCHAR, remedy VARCHAR
);
