# What `cmake --install` puts in place: the program, its manual page, completion, examples, and what runs it unattended.
include(GNUInstallDirs)
set(KVMSCOPE_SYSTEMD_DIR "lib/systemd/system" CACHE STRING "where systemd's units go, below the prefix")
set(cron ${CMAKE_CURRENT_SOURCE_DIR}/scripts/cron)
set(completion ${CMAKE_CURRENT_SOURCE_DIR}/scripts/completion)

install(TARGETS kvmscope)
install(PROGRAMS ${cron}/kvmscope-snapshot DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/kvmscope)
install(FILES ${cron}/kvmscope-snapshot.timer DESTINATION ${KVMSCOPE_SYSTEMD_DIR})
install(DIRECTORY scripts/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/kvmscope FILES_MATCHING PATTERN "*.lua")
install(FILES scripts/snapshot.schema.json DESTINATION ${CMAKE_INSTALL_DATADIR}/kvmscope)
install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${completion}/kvmscope.bash RENAME kvmscope
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

# They name where the program is: known when it is installed, `cmake --install --prefix` and cpack choose.
# install_configured(FILE.in FOLDER)
function(install_configured input folder)
  get_filename_component(name ${input} NAME_WLE)
  install(CODE "
    set(CMAKE_INSTALL_FULL_BINDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    set(CMAKE_INSTALL_FULL_LIBEXECDIR \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBEXECDIR}\")
    configure_file(${input} ${CMAKE_CURRENT_BINARY_DIR}/installed/${name} @ONLY)
    file(INSTALL ${CMAKE_CURRENT_BINARY_DIR}/installed/${name}
      DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${folder}\")")
endfunction()
install_configured(${cron}/kvmscope-snapshot.service.in ${KVMSCOPE_SYSTEMD_DIR})
install_configured(${cron}/kvmscope.cron.in ${CMAKE_INSTALL_DOCDIR}/examples)

# Debian's zsh looks for those of packages in a folder of its own.
install(CODE "
  set(folder site-functions)
  if(CMAKE_INSTALL_PREFIX STREQUAL /usr AND EXISTS /etc/debian_version)
    set(folder vendor-completions)
  endif()
  file(INSTALL ${completion}/_kvmscope
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/zsh/\${folder}\")")

# The program writes its own manual page, which takes a program that runs here; one with sanitizers is not installed.
if(NOT CMAKE_CROSSCOMPILING AND NOT KVMSCOPE_SANITIZE)
  set(manual ${CMAKE_CURRENT_BINARY_DIR}/kvmscope.1)
  add_custom_command(OUTPUT ${manual}.gz
    COMMAND kvmscope help --man > ${manual}
    COMMAND gzip -9 -n -k -f ${manual}
    DEPENDS kvmscope VERBATIM)
  add_custom_target(manual ALL DEPENDS ${manual}.gz)
  install(FILES ${manual}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
