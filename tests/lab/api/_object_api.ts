/** Create, replace, patch and delete with the semantics of the real server's registries. */
import { equalJson, parseStoredObject, type StoredObject } from "./_object.ts";
import type { ObjectStore } from "./_object_store.ts";
import { applyPatch } from "./_patch.ts";
import { apiVersionOf, qualifiedName, type Resource } from "./_resource.ts";
import { pruneAndDefault, validate } from "./_schema.ts";
import { type Cause, StatusError } from "./_status_error.ts";
import {
  checkBuiltIn,
  completeBuiltIn,
  graceOf,
  initialStatus,
  mergeUpdate,
  now,
  type Target,
  withStatus,
} from "./_strategy.ts";

const NAME = /^[a-z0-9]([-a-z0-9.:]{0,251}[a-z0-9])?$/;

export class ObjectApi {
  constructor(private readonly store: ObjectStore) {}

  /** @throws StatusError 404 */
  read(target: Target): StoredObject {
    const object = this.store.get(qualifiedName(target.resource), keyOf(target));
    if (object === undefined) throw notFound(target.resource, target.name);
    return object;
  }

  /** @throws StatusError 400, 404 (namespace), 409 or 422 */
  create(target: Target, body: unknown): StoredObject {
    const object = this.#parse(target, body);
    const { resource, namespace } = target;
    if (resource.namespaced && this.store.get("namespaces", namespace) === undefined) {
      throw notFound({ group: "", plural: "namespaces" }, namespace);
    }
    const name = object.metadata.name || generateName(object);
    if (!NAME.test(name)) throw invalidObject(resource, name, [badName(name)]);
    const named = { ...target, name };
    if (this.store.get(qualifiedName(resource), keyOf(named)) !== undefined) {
      throw new StatusError(409, "AlreadyExists", `${qualifiedName(resource)} "${name}" already exists`);
    }
    const metadata = {
      ...object.metadata,
      name,
      ...(resource.namespaced ? { namespace } : {}),
      uid: crypto.randomUUID(),
      creationTimestamp: now(),
      generation: 1,
    };
    return this.#write(named, withStatus({ ...object, metadata }, initialStatus(resource, object)));
  }

  /** Creates or replaces, status and all, without a look at anything: for tens of thousands at once. */
  put(target: Target, body: unknown): StoredObject {
    const { metadata, ...rest } = this.#parse({ ...target, namespace: "" }, body);
    const stamps = { uid: crypto.randomUUID(), creationTimestamp: now(), generation: 1 };
    const object = { ...rest, metadata: { ...stamps, ...metadata } };
    const { name, namespace = "" } = metadata;
    return this.store.write(qualifiedName(target.resource), keyOf({ ...target, name, namespace }), object);
  }

  /** @throws StatusError 400, 404, 409 or 422 */
  replace(target: Target, body: unknown): StoredObject {
    const old = this.read(target);
    const object = this.#parse(target, body);
    if (object.metadata.name !== target.name) {
      throw new StatusError(400, "BadRequest", "the name of the object does not match the name on the URL");
    }
    if (target.resource.schema !== undefined && object.metadata.resourceVersion === undefined) {
      const message = "Invalid value: 0: must be specified for an update";
      const cause = { reason: "FieldValueInvalid", message, field: "metadata.resourceVersion" };
      throw invalidObject(target.resource, target.name, [cause]);
    }
    return this.#update(target, { old, object });
  }

  /** @throws StatusError 400, 404, 409, 415 or 422 */
  patch(target: Target, patch: unknown, contentType: string): StoredObject {
    const old = this.read(target);
    if (target.resource.schema !== undefined && contentType.startsWith("application/strategic")) {
      throw new StatusError(415, "UnsupportedMediaType", `the body of the patch is of unsupported type ${contentType}`);
    }
    return this.#update(target, { old, object: this.#parse(target, applyPatch(old, patch, contentType)) });
  }

  /** Removes, or marks when a grace period or a finalizer holds it. @throws StatusError 404 or 409 */
  delete(target: Target, options: { gracePeriodSeconds?: number; uid?: string }): StoredObject {
    const object = this.read(target);
    if (options.uid !== undefined && options.uid !== object.metadata.uid) {
      throw conflict(target, "the UID in the precondition does not match");
    }
    const seconds = graceOf(target.resource, object, options.gracePeriodSeconds);
    if (seconds === 0 && !object.metadata.finalizers?.length) {
      return this.store.remove(qualifiedName(target.resource), keyOf(target)) ?? object;
    }
    const deletionTimestamp = object.metadata.deletionTimestamp ?? now(seconds);
    const metadata = { ...object.metadata, deletionTimestamp, deletionGracePeriodSeconds: seconds };
    return this.#write(target, { ...object, metadata });
  }

  #parse({ resource, namespace }: Target, body: unknown): StoredObject {
    const object = parseStoredObject(body);
    const { apiVersion = apiVersionOf(resource), kind = resource.kind } = object;
    if (apiVersion !== apiVersionOf(resource) || kind !== resource.kind) {
      throw new StatusError(
        400,
        "BadRequest",
        `the object (${apiVersion}, ${kind}) does not match the resource of the URL`,
      );
    }
    if (resource.namespaced && namespace !== "" && (object.metadata.namespace ?? namespace) !== namespace) {
      throw new StatusError(400, "BadRequest", "the namespace of the object does not match the namespace on the URL");
    }
    return { ...object, apiVersion, kind };
  }

  #update(target: Target, { old, object }: { old: StoredObject; object: StoredObject }): StoredObject {
    const { resourceVersion, uid } = object.metadata;
    if (resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion) {
      throw conflict(
        target,
        "the object has been modified; please apply your changes to the latest version and try again",
      );
    }
    if (uid !== undefined && uid !== old.metadata.uid) throw conflict(target, "the UID in the object does not match");
    const merged = mergeUpdate(target, { old, object });
    const done = merged.metadata.deletionTimestamp !== undefined && !merged.metadata.finalizers?.length;
    if (done && old.metadata.finalizers?.length) {
      return this.store.remove(qualifiedName(target.resource), keyOf(target)) ?? old;
    }
    return this.#write(target, merged);
  }

  /** Validates, and writes unless nothing changed. */
  #write(target: Target, object: StoredObject): StoredObject {
    const { resource, name } = target;
    const pruned = resource.schema === undefined
      ? completeBuiltIn(resource, object)
      : parseStoredObject(pruneAndDefault(resource.schema, object));
    const causes = resource.schema === undefined ? checkBuiltIn(resource, pruned) : validate(resource.schema, pruned);
    if (causes.length > 0) throw invalidObject(resource, name, causes);
    const old = this.store.get(qualifiedName(resource), keyOf(target));
    if (old !== undefined && equalJson(old, pruned)) return old;
    return this.store.write(qualifiedName(resource), keyOf(target), pruned);
  }
}

/** @returns the key under which the store holds the object */
export function keyOf({ resource, namespace, name }: Pick<Target, "resource" | "namespace" | "name">): string {
  return resource.namespaced ? `${namespace}/${name}` : name;
}

function generateName({ metadata }: StoredObject): string {
  return typeof metadata["generateName"] === "string" ? metadata["generateName"] + crypto.randomUUID().slice(0, 5) : "";
}

function badName(name: string): Cause {
  if (name === "") {
    return {
      reason: "FieldValueRequired",
      message: "Required value: name or generateName is required",
      field: "metadata.name",
    };
  }
  const message = `Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 subdomain is required`;
  return { reason: "FieldValueInvalid", message, field: "metadata.name" };
}

function notFound(resource: Pick<Resource, "group" | "plural">, name: string): StatusError {
  const qualified = resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
  return new StatusError(404, "NotFound", `${qualified} "${name}" not found`);
}

function conflict({ resource, name }: Target, why: string): StatusError {
  return new StatusError(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": ${why}`,
  );
}

function invalidObject(resource: Resource, name: string, causes: readonly Cause[]): StatusError {
  const kind = resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`;
  const list = causes.map(({ field, message }) => `${field}: ${message}`);
  const text = list.length === 1 ? list[0] : `[${list.join(", ")}]`;
  return new StatusError(422, "Invalid", `${kind} "${name}" is invalid: ${text}`, causes);
}
