"""The technician's commands; ``calibration.__main__`` puts them on the program."""
