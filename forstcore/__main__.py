from forstcore.cli import main

raise SystemExit(main())
