// Errors that keep the data folder from being used. Their messages are for the user and say what to do.

export class StorageError extends Error {
  override readonly name = 'StorageError';
}

/** The path given as -data cannot be the data folder: restarting does not help. */
export class DataPathError extends Error {
  override readonly name = 'DataPathError';
}
