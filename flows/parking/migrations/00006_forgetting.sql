-- +goose Up
-- Bills without a visit whose car can still be told, and bindings by their end: few rows beside all that a lot has, and what
-- is forgotten is looked for again and again while cars wait.
CREATE INDEX parking_bills_no_visit ON parking_bills (venue, changed_at) WHERE stay >= 'none/' AND stay < 'none0' AND LENGTH(plate) > 0;
CREATE INDEX parking_vehicles_ended ON parking_vehicles (tenant, until_at);
