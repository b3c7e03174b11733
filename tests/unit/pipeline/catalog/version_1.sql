BEGIN TRANSACTION;
CREATE TABLE lauedepth_driver (
	id INTEGER NOT NULL, 
	pid INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	since FLOAT NOT NULL, 
	beat FLOAT NOT NULL, 
	slots INTEGER NOT NULL, 
	notice TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "lauedepth_driver" VALUES(1,4711,'lab12',1700000000.0,1.79566259973384737967e+09,2,'');
CREATE TABLE lauedepth_jobs (
	name TEXT NOT NULL, 
	point_id INTEGER NOT NULL, 
	submitted FLOAT NOT NULL, 
	started FLOAT, 
	finished FLOAT, 
	seconds FLOAT, 
	cpu_seconds FLOAT, 
	max_rss_bytes BIGINT, 
	exit_code INTEGER, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (name), 
	FOREIGN KEY(point_id) REFERENCES lauedepth_points (id)
);
INSERT INTO "lauedepth_jobs" VALUES('j-p1-a0-t1',1,1.79566259971769428245e+09,1700000000.0,1700000009.0,9.0,18.0,1000000000,0,'');
CREATE TABLE lauedepth_meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "lauedepth_meta" VALUES('version','1');
INSERT INTO "lauedepth_meta" VALUES('id','c319edbb');
CREATE TABLE lauedepth_points (
	id INTEGER NOT NULL, 
	source_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	signature TEXT NOT NULL, 
	members JSON NOT NULL, 
	size BIGINT NOT NULL, 
	frames INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	result TEXT NOT NULL, 
	sha256_input TEXT NOT NULL, 
	sha256_result TEXT NOT NULL, 
	failure TEXT NOT NULL, 
	staged BOOLEAN NOT NULL, 
	seen FLOAT NOT NULL, 
	complete FLOAT, 
	started FLOAT, 
	finished FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (source_id, "key", version), 
	FOREIGN KEY(source_id) REFERENCES lauedepth_sources (id), 
	UNIQUE (result)
);
INSERT INTO "lauedepth_points" VALUES(1,1,'p_1.h5',1,'1716f5d6734ae01c37ce41d95a3c37cd','[["p_1.h5", 10, 1]]',10,4,'done',0,0,1,'p_1.h5','','ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','',0,1.7956625996945047379e+09,1.79566259970310616498e+09,1.79566259970418167111e+09,1.7956625997201747894e+09);
INSERT INTO "lauedepth_points" VALUES(2,1,'p_2.h5',1,'eef97c85452e34720f9c270052694aba','[["p_2.h5", 20, 2]]',20,4,'waiting',0,0,0,'p_2.h5','','','',0,1.79566259972572946548e+09,1.79566259972735619548e+09,NULL,NULL);
INSERT INTO "lauedepth_points" VALUES(3,1,'p_3.h5',1,'5df69c829bef3a35c14384236c4634fd','[["p_3.h5", 30, 3]]',30,0,'arriving',0,0,0,'p_3.h5','','','',0,1.79566259972781085965e+09,NULL,NULL,NULL);
CREATE TABLE lauedepth_sources (
	id INTEGER NOT NULL, 
	folder TEXT NOT NULL, 
	layout TEXT NOT NULL, 
	marker TEXT NOT NULL, 
	marker_needed BOOLEAN NOT NULL, 
	dataset TEXT NOT NULL, 
	frames INTEGER NOT NULL, 
	priority INTEGER NOT NULL, 
	expected INTEGER NOT NULL, 
	scanned BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (folder)
);
INSERT INTO "lauedepth_sources" VALUES(1,'/data/scan','file','.done',0,'entry1/data/data',0,0,3,0);
CREATE TABLE lauedepth_steps (
	point_id INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	started FLOAT NOT NULL, 
	finished FLOAT, 
	PRIMARY KEY (point_id, attempt, name), 
	FOREIGN KEY(point_id) REFERENCES lauedepth_points (id)
);
INSERT INTO "lauedepth_steps" VALUES(1,0,'staging',1.79566259971051883702e+09,1.79566259971846246715e+09);
INSERT INTO "lauedepth_steps" VALUES(1,0,'reconstructing',1.79566259971846246715e+09,1.7956625997201747894e+09);
CREATE INDEX ix_lauedepth_points_next ON lauedepth_points (state, priority, complete, id);
CREATE INDEX ix_lauedepth_points_staged ON lauedepth_points (staged);
CREATE INDEX ix_lauedepth_jobs_point_id ON lauedepth_jobs (point_id);
COMMIT;
