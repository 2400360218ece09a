// Descriptions of values: of the query and body of a request, which they check, and of a response, for
// which TypeScript checks the handler. The OpenAPI document is made from the same descriptions.
// Must not know any route. Source: JSON Schema 2020-12, of which this is a small part.

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Schema<T> {
  readonly json: JsonSchema;
  /** May be left out of the object that it is a property of. */
  readonly isOptional: boolean;
  /**
   * @param at the name of the value, for the error
   * @param isAnswer of another node, which may be newer: properties that this node does not know are left out
   * @throws InputError
   */
  read(value: unknown, at: string, isAnswer?: boolean): T;
}

/** The type of the values that a schema accepts. */
export type Static<S> = S extends Schema<infer T> ? T : never;

type Properties = Readonly<Record<string, Schema<unknown>>>;
type OptionalKeys<P extends Properties> = {
  [K in keyof P]: undefined extends Static<P[K]> ? K : never;
}[keyof P];
/** Optional properties may be missing or undefined. */
export type ObjectOf<P extends Properties> = {
  readonly [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]>;
} & { readonly [K in OptionalKeys<P>]?: Static<P[K]> };

/** A value of a request that its route does not accept. The message is a sentence for the caller. */
export class InputError extends Error {
  override readonly name = 'InputError';
}

export interface TextLimits {
  readonly help?: string;
  /** Never shown again, as in the audit log. */
  readonly isSecret?: true;
  readonly maxLength?: number;
  readonly minLength?: number;
}

export function text({
  help,
  maxLength = 65_535,
  minLength = 0,
  isSecret,
}: TextLimits = {}): Schema<string> {
  const json = { type: 'string', description: help, minLength, maxLength, writeOnly: isSecret };
  return schema(json, (value, at) => {
    if (typeof value !== 'string') throw new InputError(`${at} must be a text`);
    if (value.length > maxLength) {
      throw new InputError(`${at} is too long: ${maxLength} characters at most`);
    }
    if (value.length < minLength) throw new InputError(`${at} must not be empty`);
    return value;
  });
}

export function oneOf<const T extends string>(words: readonly T[], help?: string): Schema<T> {
  return schema({ type: 'string', enum: words, description: help }, (value, at) => {
    const word = words.find((one) => one === value);
    if (word === undefined) throw new InputError(`${at} must be one of ${words.join(', ')}`);
    return word;
  });
}

export function integer(minimum: number, maximum: number, help?: string): Schema<number> {
  return schema({ type: 'integer', minimum, maximum, description: help }, (value, at) => {
    if (!Number.isInteger(value) || (value as number) < minimum || (value as number) > maximum) {
      throw new InputError(`${at} must be a whole number from ${minimum} to ${maximum}`);
    }
    return value as number;
  });
}

/** Of a response only: any finite number. */
export function number(help?: string): Schema<number> {
  return schema({ type: 'number', description: help }, (value, at) => {
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new InputError(`${at} must be a number`);
    }
    return value;
  });
}

export function flag(help?: string): Schema<boolean> {
  return schema({ type: 'boolean', description: help }, (value, at) => {
    if (typeof value !== 'boolean') throw new InputError(`${at} must be true or false`);
    return value;
  });
}

export function array<T>(items: Schema<T>, maxItems = 65_535, help?: string): Schema<readonly T[]> {
  const json = { type: 'array', items: items.json, maxItems, description: help };
  return schema(json, (value, at, isAnswer) => {
    if (!Array.isArray(value)) throw new InputError(`${at} must be a list`);
    if (value.length > maxItems) throw new InputError(`${at} has more than ${maxItems} items`);
    return value.map((item, index) => items.read(item, `${at}[${index}]`, isAnswer));
  });
}

export function object<P extends Properties>(properties: P): Schema<ObjectOf<P>> {
  const entries = Object.entries(properties);
  const required = entries.filter(([, one]) => !one.isOptional).map(([name]) => name);
  const json = {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, one]) => [name, one.json])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
  return schema(
    json,
    (value, at, isAnswer) => readObject(properties, value, at, isAnswer) as ObjectOf<P>,
  );
}

function readObject(
  properties: Properties,
  value: unknown,
  at: string,
  isAnswer = false,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InputError(`${at} must be an object`);
  }
  const given = value as Record<string, unknown>;
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(properties, name));
  if (unknown !== undefined && !isAnswer) {
    const known = Object.keys(properties).join(', ') || 'nothing';
    throw new InputError(`${at} has no '${unknown.slice(0, 40)}'; it takes ${known}`);
  }
  const result: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const one = Object.hasOwn(given, name) ? given[name] : undefined;
    if (one !== undefined) result[name] = property.read(one, `'${name}'`, isAnswer);
    else if (!property.isOptional) throw new InputError(`${at} needs '${name}'`);
  }
  return result;
}

/** Of a response only: an object whose keys are data, such as names of labels. */
export function record<T>(values: Schema<T>): Schema<Readonly<Record<string, T>>> {
  const json = { type: 'object', additionalProperties: values.json };
  return schema(json, (value, at, isAnswer) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new InputError(`${at} must be an object`);
    }
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([key, one]) => [key, values.read(one, key, isAnswer)]));
  });
}

/** Of a response only. */
export function any(help: string): Schema<unknown> {
  return schema({ description: help }, (value) => value);
}

export function optional<T>(inner: Schema<T>): Schema<T | undefined> {
  return { ...inner, isOptional: true } as Schema<T | undefined>;
}

/** Of a response only: the value, or null where there is none. */
export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  const type = [inner.json.type, 'null'];
  return schema({ ...inner.json, type }, (value, at, isAnswer) =>
    value === null ? null : inner.read(value, at, isAnswer),
  );
}

/** A value of the query string, which is always text, as its schema wants it. */
export function queryValue({ json }: Schema<unknown>, value: string): unknown {
  if (json.type === 'integer' || json.type === 'number') {
    return /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : value;
  }
  if (json.type === 'boolean') return value === 'true' ? true : value === 'false' ? false : value;
  return value;
}

function schema<T>(json: JsonSchema, read: Schema<T>['read']): Schema<T> {
  const defined = Object.entries(json).filter(([, value]) => value !== undefined);
  return { json: Object.fromEntries(defined), isOptional: false, read };
}
