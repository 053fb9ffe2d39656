"""`revops audit`: verify that nothing was altered, prove one record, export, sign checkpoints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Annotated, Any, TextIO
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from connectors.postgres.audit_log import (
    audited_tenants,
    newest_checkpoint,
    read_audit_head,
    read_checkpoints,
    read_log,
    read_record,
    records_of_subject,
)
from connectors.postgres.pool import connection, transaction
from streams.audit.checkpoints import CheckpointError, encoded_key, origin_of
from streams.audit.checkpoints import read as read_note
from workers.audit_appending import (
    consistency_proof,
    inclusion_proof,
    make_checkpoint,
    read_key,
    write_new_key,
)
from workers.audit_verifying import Given, given_checkpoints, verify_tenant
from workers.cli.output import (
    Output,
    console,
    errors,
    fail,
    load_settings,
    run_command,
    show_rows,
)
from workers.cli.platform import (
    OutputOption,
    SinceOption,
    TenantOption,
    UntilOption,
    config_directory,
    moment,
    one_tenant,
    opened_database,
)
from workers.settings import Settings

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The tamper-evident log of decisions."
)

KeyLineOption = Annotated[
    str | None, typer.Option("--key", help="Public key line that must have signed the checkpoints.")
]
FileOption = Annotated[Path | None, typer.Option("--file", help="Write here, not to the screen.")]


@app.command()
def verify(
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that you kept elsewhere; may be given several times."),
    ] = None,
    key: KeyLineOption = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's log.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Recomputes chain and tree of every record; 1 where anything was altered.

    Records cut off at the end, or a log rewritten as a whole, show only against an older checkpoint
    that was kept somewhere else: pass it with --checkpoint.
    """
    settings = load_settings()
    given = _given(checkpoint or [], key)

    async def work() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async with opened_database(settings) as pool:
            async with connection(pool) as reading:
                logged = await audited_tenants(reading)
            tenants = sorted({tenant} if tenant else {*logged, *given.tenants()})
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            with Progress(*columns, console=errors, transient=True) as progress:
                for one in tenants:
                    task = progress.add_task(one, total=None)
                    found = await verify_tenant(
                        pool,
                        one,
                        given,
                        lambda done, total, task=task: progress.update(
                            task, completed=done, total=total
                        ),
                    )
                    rows.append(
                        {
                            "tenant": one,
                            "records": found.size,
                            "sound": found.is_sound,
                            "checkpoints": found.checkpoints_met,
                            "root": found.root.hex(),
                            "findings": [f"record {f.seq}: {f.problem}" for f in found.findings],
                        }
                    )
        return rows

    rows = run_command(work)
    show_rows(rows, ("tenant", "records", "sound", "checkpoints", "findings"), output)
    if output is Output.TABLE:
        console.print(_in_words(rows))
    if not all(row["sound"] for row in rows):
        raise typer.Exit(1)


def _in_words(rows: Sequence[dict[str, Any]]) -> str:
    """What a verification says, and what it cannot say."""
    if not rows:
        return "The log is empty: no decision was audited yet."
    if not all(row["sound"] for row in rows):
        return "[bold red]The log was altered[/]: see the findings."
    whole = f"Nothing was altered in {sum(row['records'] for row in rows):,} records."
    if any(row["checkpoints"] for row in rows):
        return whole
    return (
        f"{whole} No checkpoint was there to compare with: records cut off at the end would not show. "
        "`revops audit checkpoint --file NOTE` makes one to keep elsewhere."
    )


@app.command()
def prove(
    event: Annotated[str, typer.Argument(metavar="ID", help="A decision's or event's id.")],
    consistent_with: Annotated[
        Path | None,
        typer.Option(help="Prove instead that the log is that of this older checkpoint, longer."),
    ] = None,
    file: FileOption = None,
    tenant: TenantOption = None,
) -> None:
    """Writes a proof that a record is in the signed log; `deploy/verify_audit.py` checks it."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)

    async def work() -> dict[str, Any]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            newest = await newest_checkpoint(reading, whose)
            if newest is None:
                fail(f"the log of {whose} has no checkpoint yet: `revops audit checkpoint`")
            note = newest.note
            if consistent_with is not None:
                old = consistent_with.read_text(encoding="utf-8")
                return await consistency_proof(
                    reading, whose, read_note(old), read_note(note), (old, note)
                )
            row = await read_record(reading, whose, _event_id(event))
            if row is None:
                fail(f"{event} is not in the log of {whose}; see `revops audit export`")
            if row.seq > newest.size:
                fail(
                    f"record {row.seq} is newer than the last checkpoint ({newest.size} records): "
                    "`revops audit checkpoint`"
                )
            return await inclusion_proof(reading, whose, row, read_note(note), note)

    _write(json.dumps(run_command(work), ensure_ascii=False) + "\n", file)


@app.command()
def export(
    file: FileOption = None,
    subject: Annotated[
        str | None, typer.Option(help="Only records on this subject, such as pod/12/O34.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    tenant: TenantOption = None,
) -> None:
    """Writes the log, one JSON object a line, for auditors; whole logs can be verified from it."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)
    partial = any((subject, since, until))

    async def work() -> int:
        with ExitStack() as stack:
            out = stack.enter_context(file.open("w", encoding="utf-8")) if file else None
            async with opened_database(settings) as pool:
                if partial:
                    async with connection(pool) as reading:
                        found = await records_of_subject(
                            reading, whose, subject, moment(since), moment(until), 1_000_000
                        )
                    _line({"format": "revops-audit-records-1", "tenant": whose}, out)
                    return _records(found[::-1], out)
                return await _whole(settings, whose, out)

    count = run_command(work)
    errors.print(f"{count:,} records{f' in {file}' if file else ''}")


async def _whole(settings: Settings, tenant: str, out: TextIO | None) -> int:
    count = 0
    async with opened_database(settings) as pool, transaction(pool) as reading:
        await reading.execute("set transaction isolation level repeatable read read only")
        head = await read_audit_head(reading, tenant)
        size = head.size if head else 0
        _line(
            {
                "format": "revops-audit-log-1",
                "tenant": tenant,
                "origin": origin_of(tenant),
                "size": size,
            },
            out,
        )
        async with aclosing(read_log(reading, tenant)) as pages:
            async for rows in pages:
                count += _records(rows, out)
    return count


@app.command()
def checkpoint(
    file: FileOption = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="The signing key, where REVOPS_AUDIT__SIGNING_KEY_FILE is unset."),
    ] = None,
    tenant: TenantOption = None,
) -> None:
    """Signs the state of the log. Keep the note elsewhere: it shows any later truncation or rewrite."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)
    path = key_file or settings.audit.signing_key_file
    if path is None:
        fail("no signing key: `revops audit key FILE` makes one, --key-file uses it", code=2)
    try:
        key = read_key(path)
    except (OSError, ValueError, TypeError) as problem:
        fail(f"the signing key cannot be read: {problem}")

    async def work() -> str:
        async with opened_database(settings) as pool, transaction(pool) as writing:
            await make_checkpoint(writing, whose, key)
            newest = await newest_checkpoint(writing, whose)
            if newest is None:
                fail(f"the log of {whose} is empty: there is nothing to sign")
            return newest.note

    _write(run_command(work), file)


@app.command()
def checkpoints(tenant: TenantOption = None, output: OutputOption = Output.TABLE) -> None:
    """Lists the checkpoints that were made."""
    settings = load_settings()
    whose = one_tenant(settings.config.directory, tenant)

    async def work() -> list[dict[str, Any]]:
        async with opened_database(settings) as pool, connection(pool) as reading:
            found = await read_checkpoints(reading, whose)
        return [{"records": one.size, "made_at": one.made_at, "note": one.note} for one in found]

    show_rows(run_command(work), ("records", "made_at", "note"), output)


@app.command()
def key(
    file: Annotated[Path, typer.Argument(help="Where the signing key is, or is to be made.")],
    tenant: TenantOption = None,
) -> None:
    """Shows the public key line of a signing key; makes the key where the file is not there."""
    whose = one_tenant(config_directory(), tenant)
    try:
        private = read_key(file) if file.exists() else write_new_key(file)
    except (OSError, ValueError, TypeError) as problem:
        fail(f"the key file cannot be used: {problem}")
    console.print(
        encoded_key(origin_of(whose), private.public_key().public_bytes_raw()), soft_wrap=True
    )


def _given(paths: Sequence[Path], key_line: str | None) -> Given:
    try:
        return given_checkpoints([path.read_text(encoding="utf-8") for path in paths], key_line)
    except (OSError, CheckpointError) as problem:
        fail(f"a checkpoint cannot be used: {problem}")


def _event_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        fail(f"{text!r} is no id; `revops decisions list --output json` shows whole ids", code=2)


def _records(rows: Sequence[Any], out: TextIO | None) -> int:
    for row in rows:
        _line({"body": row[6].decode(), "chain": row[8].hex()}, out)
    return len(rows)


def _line(value: dict[str, Any], out: TextIO | None) -> None:
    text = json.dumps(value, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.write(text + "\n")


def _write(text: str, file: Path | None) -> None:
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")
        errors.print(f"written to {file}")
