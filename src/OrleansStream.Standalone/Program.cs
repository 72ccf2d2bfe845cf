// The executable of the one-process engine.
return 0;
