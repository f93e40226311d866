"""The tables of the run store."""

import sqlalchemy as sa

SCHEMA_VERSION = 4

LARGEST_CONTENT = 2**31 - 1  # bytes of one run; where a database has several sizes of binary column, the one for this

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("recipe_sha", sa.String(64), index=True, nullable=False),
    sa.Column("key", sa.String(64), index=True, nullable=False),
    sa.Column("verb", sa.String(32), nullable=False),
    sa.Column("created", sa.String(32), index=True, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    # What menus show, so that no list reads contents.
    sa.Column("workspace", sa.String(64), nullable=False),
    sa.Column("checkpoint", sa.Text, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("images", sa.Integer, nullable=False),
    sa.Column("split", sa.String(32), nullable=False),
    sa.Column("recipe", sa.Text, nullable=False),  # JSON; empty where the content cannot be read
    sa.Column("size", sa.Integer, nullable=False),  # bytes of the content
    sa.Column("last_used", sa.String(32), nullable=False),
    sa.Column("lease", sa.String(32), index=True, nullable=False),  # of the job that stored it; "" for none
)
contents = sa.Table(
    "contents",  # beside the rows: a list of runs would have to step over every content
    metadata,
    sa.Column("run", sa.String(32), primary_key=True),
    sa.Column("content", sa.LargeBinary(LARGEST_CONTENT), nullable=False),
)
marks = sa.Table(
    "marks",  # what users say of a run; beside the runs, since shipped ones have no row there
    metadata,
    sa.Column("run", sa.String(32), primary_key=True),
    sa.Column("workspace", sa.String(64), primary_key=True),  # the run's; of a shipped one, who says it
    sa.Column("tags", sa.Text, nullable=False),  # JSON list
    sa.Column("note", sa.Text, nullable=False),
)
looks = sa.Table(
    "looks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("dataset", sa.String(64), nullable=False),
    sa.Column("lineage", sa.String(64), nullable=False),
    sa.Column("recipe_sha", sa.String(64), nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
)
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("arguments", sa.Text, nullable=False),
    sa.Column("workspace", sa.String(64), index=True, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), index=True, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("created", sa.String(32), nullable=False),
    sa.Column("stage_began", sa.Float, nullable=False),  # Unix time of the present stage
    sa.Column("lease", sa.String(32), index=True, nullable=False),  # random; "" while no worker has the job
    sa.Column("pool", sa.String(32), index=True, nullable=False),  # random, one per pool
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process", sa.String(80), nullable=False),  # when that process began, see runs.processes
    sa.Column("heartbeat", sa.Float, nullable=False),  # Unix time
)
schema = sa.Table("schema", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))
