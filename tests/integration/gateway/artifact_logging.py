"""Logging artifacts over the wire, request by request, as the wandb client does it."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.gateway.conftest import Client

Json = dict[str, Any]  # what a field of an answer holds

CREATE = """mutation CreateArtifact($input: CreateArtifactInput!) { createArtifact(input: $input) {
  artifact { id state artifactSequence { latestArtifact { id } } } } }"""
MANIFEST = """mutation CreateArtifactManifest($artifactID: ID!, $baseArtifactID: ID, $name: String!,
    $digest: String!, $entityName: String!, $projectName: String!, $runName: String!,
    $manifestType: ArtifactManifestType!, $includeUpload: Boolean!) {
  createArtifactManifest(input: {artifactID: $artifactID, baseArtifactID: $baseArtifactID, name: $name,
      digest: $digest, entityName: $entityName, projectName: $projectName, runName: $runName,
      type: $manifestType}) {
    artifactManifest { id file { id uploadUrl @include(if: $includeUpload)
      uploadHeaders @include(if: $includeUpload) } } } }"""
UPDATE_MANIFEST = """mutation UpdateArtifactManifest($artifactManifestID: ID!, $digest: String,
    $baseArtifactID: ID, $includeUpload: Boolean!) {
  updateArtifactManifest(input: {artifactManifestID: $artifactManifestID, digest: $digest,
      baseArtifactID: $baseArtifactID}) {
    artifactManifest { id file { id uploadUrl @include(if: $includeUpload)
      uploadHeaders @include(if: $includeUpload) } } } }"""
FILES = """mutation CreateArtifactFiles($input: CreateArtifactFilesInput!) {
  createArtifactFiles(input: $input) { files { edges { node { storagePath uploadUrl uploadHeaders
    uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } } artifact { id } } } } } }"""
COMMIT = """mutation CommitArtifact($artifactID: ID!) {
  commitArtifact(input: {artifactID: $artifactID}) { artifact { id digest } } }"""
BY_NAME = """query ArtifactMembershipByName($entity: String!, $project: String!, $name: String!) {
  project(name: $project, entityName: $entity) { artifactCollectionMembership(name: $name) {
    id versionIndex createdAt aliases { id alias }
    artifactCollection { __typename id name project { id internalId name entity { name } } }
    artifact { id artifactSequence { name } versionIndex artifactType { name } description metadata
      ttlDurationSeconds ttlIsInherited tags { id name } historyStep state size digest commitHash
      fileCount createdAt updatedAt currentManifest { file { directUrl } }
      aliases { id alias artifactCollection { __typename name project { name entity { name } } } } } } } }"""
FILE_LIST = """query Files($id: ID!, $cursor: String, $perPage: Int, $names: [String!]) { artifact(id: $id) {
  files(after: $cursor, first: $perPage, names: $names) { totalCount pageInfo { hasNextPage endCursor }
    edges { node { id name directUrl url sizeBytes md5 digest mimetype storagePath updatedAt } } } } }"""
PLACE = {"entity": "main", "project": "digits"}


def md5_of(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def base64_of(md5: bytes) -> str:
    return base64.b64encode(md5).decode()


def entry_of(content: bytes | str) -> Json:
    """A manifest's entry for bytes, or for an address."""
    if isinstance(content, str):
        return {"digest": content, "ref": content, "size": len(content)}
    return {"digest": base64_of(md5_of(content)), "size": len(content)}


def manifest_of(files: Mapping[str, bytes | str]) -> bytes:
    """The manifest that lists these files; a text is a reference."""
    contents = {path: entry_of(content) for path, content in files.items()}
    head = {"version": 1, "storagePolicy": "wandb-storage-policy-v1"}
    return json.dumps({**head, "storagePolicyConfig": {"storageLayout": "V2"}, "contents": contents}).encode()


def digest_of(files: Mapping[str, bytes | str]) -> str:
    """The digest that a client computes of these files."""
    lines = [f"{path}:{entry_of(content)['digest']}\n" for path, content in sorted(files.items())]
    return md5_of(("wandb-artifact-manifest-v1\n" + "".join(lines)).encode()).hex()


@dataclass
class Logger:
    """A run that logs artifacts; each request can be sent `times` times. `plain` sends without a key."""

    client: Client
    plain: httpx.Client
    run: str = "r1"
    times: int = 1
    entity: str = "main"
    project: str = "digits"

    def refused(self, query: str, /, **variables: Any) -> str:
        """Why a request is refused for good."""
        answer = self.client.post(query, **variables)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["errors"][0]["message"])

    def ask(self, query: str, /, **variables: Any) -> Json:
        """The answer of the last time."""
        answers = [self.client.ask(query, **variables) for _ in range(self.times)]
        return answers[-1]

    def create(self, name: str, files: Mapping[str, bytes | str], **more: Any) -> Json:
        """The answer to the wish to log files."""
        wish = {
            "entityName": self.entity,
            "projectName": self.project,
            "runName": self.run,
            "artifactTypeName": "dataset",
            "artifactCollectionName": name,
            "digest": digest_of(files),
            "digestAlgorithm": "MANIFEST_MD5",
            "clientID": f"client-{name}-{digest_of(files)}-{json.dumps(more, sort_keys=True)}"[:128],
            "sequenceClientID": f"sequence-{name}",
            "enableDigestDeduplication": True,
            "aliases": [{"alias": "latest", "artifactCollectionName": name}],
            **more,
        }
        artifact: Json = self.ask(CREATE, input=wish)["createArtifact"]["artifact"]
        return artifact

    def announce(self, artifact: str, digest: str = "", kind: str = "FULL", base: str | None = None) -> Json:
        """The manifest that is about to come, with the address to put it."""
        answer: Json = self.ask(
            MANIFEST,
            artifactID=artifact,
            baseArtifactID=base,
            name="wandb_manifest.json",
            digest=digest,
            entityName=self.entity,
            projectName=self.project,
            runName=self.run,
            manifestType=kind,
            includeUpload=True,
        )["createArtifactManifest"]["artifactManifest"]
        return answer

    def offer(self, artifact: str, files: Sequence[tuple[str, bytes]], manifest: str = "") -> list[Json]:
        """The node for each file."""
        specs = [
            {
                "artifactID": artifact,
                "artifactManifestID": manifest,
                "name": name,
                "md5": base64_of(md5_of(content)),
                "mimetype": None,
            }
            for name, content in files
        ]
        answer = self.ask(FILES, input={"artifactFiles": specs, "storageLayout": "V2"})
        return [edge["node"] for edge in answer["createArtifactFiles"]["files"]["edges"]]

    def put(self, node: Json, content: bytes) -> None:
        """Put bytes where a node says, with its headers."""
        headers = dict(line.split(":", 1) for line in node["uploadHeaders"])
        for _ in range(self.times):
            answer = self.plain.put(node["uploadUrl"], content=content, headers=headers)
            assert answer.status_code == 200, answer.text

    def put_files(self, artifact: str, files: Mapping[str, bytes | str]) -> int:
        """Put the files that the server wants; returns how many that were."""
        stored = [(name, content) for name, content in files.items() if isinstance(content, bytes)]
        nodes = self.offer(artifact, stored)
        wanted = [
            (node, content) for node, (_, content) in zip(nodes, stored, strict=True) if node["uploadUrl"]
        ]
        for node, content in wanted:
            self.put(node, content)
        return len(wanted)

    def put_manifest(
        self, artifact: str, files: Mapping[str, bytes | str], kind: str = "FULL", base: str | None = None
    ) -> None:
        """Announce a manifest and put it."""
        body = manifest_of(files)
        self.put(self.announce(artifact, base64_of(md5_of(body)), kind, base)["file"], body)

    def commit(self, artifact: str) -> Json:
        answer: Json = self.ask(COMMIT, artifactID=artifact)["commitArtifact"]["artifact"]
        return answer

    def log(
        self,
        name: str,
        files: Mapping[str, bytes | str],
        kind: str = "FULL",
        base: str | None = None,
        **more: Any,
    ) -> str:
        """Log files to the end, as the client does; returns the artifact's id."""
        made = self.create(name, files, **more)
        artifact = str(made["id"])
        if made["state"] == "COMMITTED":
            return artifact
        self.announce(artifact, "", kind, base)
        self.put_files(artifact, files)
        self.put_manifest(artifact, files, kind, base)
        self.commit(artifact)
        return artifact

    def named(self, name: str) -> Json | None:
        """The member that `collection:alias` means."""
        place = {"entity": self.entity, "project": self.project}
        answer = self.client.ask(BY_NAME, **place, name=name)["project"]
        found: Json | None = answer["artifactCollectionMembership"]
        return found

    def version(self, name: str) -> tuple[int, list[str]]:
        """(number, aliases) of what `collection:alias` means."""
        found = self.named(name)
        assert found is not None, name
        return found["versionIndex"], [alias["alias"] for alias in found["aliases"]]

    def contents(self, artifact: str) -> dict[str, bytes | str]:
        """The files by path, read from their addresses; of references the addresses."""
        listed = self.client.ask(FILE_LIST, id=artifact, perPage=1000)["artifact"]["files"]
        nodes = [edge["node"] for edge in listed["edges"]]
        return {
            node["name"]: self.plain.get(node["directUrl"]).content if node["md5"] else node["directUrl"]
            for node in nodes
        }
