-- +goose Up
-- When a ticket lets nobody in any more: the end of its slot, or its last visit; 0: that cannot be said. Retention counts
-- from it, so that no admission is forgotten on which another would have to be refused.
ALTER TABLE admissions ADD COLUMN over_at BIGINT NOT NULL DEFAULT 0;
