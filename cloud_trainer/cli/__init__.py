"""Commands of ``walkout-trainer``, one file a group; errors end as one line and exit code 2."""
