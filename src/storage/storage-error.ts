// Why a data folder can't be used. The message is for the user and says what to do.

export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** -data names what can't be a folder, or not this user's: starting again won't help. */
export class DataPathError extends Error {
  override readonly name = 'DataPathError';
}
