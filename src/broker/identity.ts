// A client, as far as decisions on its access need it.

export interface Identity {
  readonly clientId: string;
  readonly username: string | undefined;
  /** Belongs to the authorizer, the core only carries it. Undefined in a session from the store. */
  readonly grant?: unknown;
}
