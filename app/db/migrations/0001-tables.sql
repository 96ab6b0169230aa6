-- Master data, which changes rarely, and cheers, which visitors write.

CREATE TABLE teams (
  id smallint unsigned NOT NULL PRIMARY KEY,
  name varchar(60) NOT NULL,
  area varchar(40) NOT NULL,
  color char(7) CHARACTER SET ascii NOT NULL
) CHARACTER SET utf8mb4;

CREATE TABLE legs (
  no tinyint unsigned NOT NULL PRIMARY KEY,
  start varchar(40) NOT NULL,
  finish varchar(40) NOT NULL,
  metres int unsigned NOT NULL
) CHARACTER SET utf8mb4;

CREATE TABLE runners (
  team_id smallint unsigned NOT NULL,
  leg tinyint unsigned NOT NULL,
  name varchar(60) NOT NULL,
  year tinyint unsigned NOT NULL,
  PRIMARY KEY (team_id, leg)
) CHARACTER SET utf8mb4;

CREATE TABLE times (
  team_id smallint unsigned NOT NULL,
  leg tinyint unsigned NOT NULL,
  seconds smallint unsigned NOT NULL,
  PRIMARY KEY (team_id, leg)
);

-- `id` is the id of the request, and has no unique key on purpose: a request executed twice must show as two rows.
-- `release_id` tells which release executed it.
CREATE TABLE cheers (
  seq bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  team_id smallint unsigned,
  text varchar(280) NOT NULL,
  release_id varchar(64) CHARACTER SET ascii COLLATE ascii_bin,
  at datetime(3) NOT NULL,
  KEY id (id),
  KEY team (team_id)
) CHARACTER SET utf8mb4;
