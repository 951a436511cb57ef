"""Alembic's entry point: runs on the connection it is given, or writes SQL when there is none."""

from alembic import context

attributes = context.config.attributes
connection = attributes.get("connection")
if connection is None:
    context.configure(dialect_name="postgresql", literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(
        connection=connection,
        target_metadata=attributes.get("target_metadata"),
        include_object=attributes.get("include_object"),
        render_item=attributes.get("render_item"),
    )
    context.run_migrations()
